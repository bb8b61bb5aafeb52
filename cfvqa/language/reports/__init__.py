"""Report texts to key information: `published` by the rules of Medical-Diff-VQA, `improved` where they are defective.

Both give the same form, `KeyInformation`; `disagreements.md` shows on what they disagree.
"""

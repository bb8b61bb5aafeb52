"""Calling commands on data sets, and what a refusal looks like."""


def refused(call, words, *arguments):
    """Call, and check that the input was refused in one message with these words, and nothing was made."""
    status, output = call(*arguments)
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "Traceback" not in output
    for word in words:
        assert word in output
    left = [path for path in call.folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not left


def prepare_nih(root):
    return "prepare", "source=nih", f"source.root={root}"


def prepare_mimic(tree):
    return "prepare", "source=mimic", f"source.root={tree.root}"

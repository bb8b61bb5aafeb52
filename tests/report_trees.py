"""Tiny trees of reports, in the layout of MIMIC-CXR, with the table of their studies."""

import csv

PA, AP, LATERAL = "postero-anterior", "antero-posterior", "lateral"
FINDINGS = (
    "Small left pleural effusion. No pneumothorax.",
    "Moderate left pleural effusion and linear atelectasis in the right lung base. No pneumothorax.",
    "Mild edema. No consolidation.",
)


class ReportTree:
    """Subjects 19000001, ... with three studies each: 590000N1, 590000N2, ..., in this order."""

    def __init__(self, root, subjects=3):
        self.root = root
        self.studies = root / "mimic_all.csv"
        self.rows = []
        for number in range(1, subjects + 1):
            for order, findings in enumerate(FINDINGS, 1):
                self.add(19_000_000 + number, 59_000_000 + 10 * number + order, order, f" FINDINGS:\n\n {findings}\n")

    def path(self, subject, study):
        return self.root / f"files/p{str(subject)[:2]}/p{subject}/s{study}.txt"

    def add(self, subject, study, order, text, view=PA):
        path = self.path(subject, study)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.rows.append([subject, study, f"{order}.0", view])
        self.tell()

    def tell(self, header=("subject_id", "study_id", "study_order", "view")):
        with self.studies.open("w", newline="") as file:
            csv.writer(file).writerows([header, *self.rows])

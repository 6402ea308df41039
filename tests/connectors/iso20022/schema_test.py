#!/usr/bin/env python3
"""The published ISO 20022 schemas judge our payout files and the sample statements.

  schema_test.py PAIN001_SAMPLE STATEMENTS_FOLDER

The statements are held against the schemas of camt.052, which differ from camt.053 in names only.
Needs xmllint and the schemas of libhbci4j-core-java.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zipfile
from decimal import Decimal

SAMPLE, STATEMENTS = sys.argv[1], sys.argv[2]
SCHEMAS = "/usr/share/java/hbci4j-core.jar"
PAIN = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


class Schemas(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="florin-iso20022-")

    def tearDown(self):
        self.folder.cleanup()

    def validate(self, message, document):
        schema = os.path.join(self.folder.name, message + ".xsd")
        path = os.path.join(self.folder.name, "document.xml")
        with zipfile.ZipFile(SCHEMAS) as jar, open(schema, "wb") as out:
            out.write(jar.read(message + ".xsd"))
        with open(path, "wb") as out:
            out.write(document)
        return subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema, path],
                              capture_output=True, text=True)

    def written(self, *arguments):
        return subprocess.run([SAMPLE, *arguments], capture_output=True, check=True).stdout

    def test_payout_files_are_valid(self):
        for arguments in ([], ["1"], ["2000"]):
            document = self.written(*arguments)
            checked = self.validate("pain.001.001.09", document)
            self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_schema_sees_a_broken_payout_file(self):
        """A judge that says yes to everything is none."""
        document = self.written()
        for old, new in ((b"<PmtMtd>TRF</PmtMtd>", b""), (b">1.250<", b">1,250<"), (b"-4e5d-", b"-1e5d-")):
            self.assertIn(old, document)
            self.assertNotEqual(self.validate("pain.001.001.09", document.replace(old, new)).returncode, 0)

    def test_counts_and_sums_are_those_that_another_parser_finds(self):
        for arguments in ([], ["2000"]):
            root = ElementTree.fromstring(self.written(*arguments))
            total, count = Decimal(0), 0
            for group in root.iterfind(".//p:PmtInf", PAIN):
                amounts = [Decimal(node.text) for node in group.iterfind(".//p:InstdAmt", PAIN)]
                self.assertEqual(int(group.find("p:NbOfTxs", PAIN).text), len(amounts))
                self.assertEqual(Decimal(group.find("p:CtrlSum", PAIN).text), sum(amounts))
                total += sum(amounts)
                count += len(amounts)
            head = root.find(".//p:GrpHdr", PAIN)
            self.assertEqual(int(head.find("p:NbOfTxs", PAIN).text), count)
            self.assertEqual(Decimal(head.find("p:CtrlSum", PAIN).text), total)

    def test_the_sample_statements_are_valid(self):
        samples = sorted(glob.glob(os.path.join(STATEMENTS, "*.xml")))
        self.assertGreaterEqual(len(samples), 3)
        for path in samples:
            with open(path, "rb") as source:
                document = source.read()
            version = re.search(rb"camt\.053\.001\.(\d\d)", document).group(1).decode()
            for old, new in ((rb"camt\.053\.", b"camt.052."), (rb"\bBkToCstmrStmt\b", b"BkToCstmrAcctRpt"),
                             (rb"\bStmtPgntn\b", b"RptPgntn"), (rb"\bStmt\b", b"Rpt")):
                document = re.sub(old, new, document)
            checked = self.validate("camt.052.001." + version, document)
            self.assertEqual(checked.returncode, 0, path + ": " + checked.stderr)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result
    broken = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - broken} passed, {broken} failed")
    sys.exit(1 if broken else 0)

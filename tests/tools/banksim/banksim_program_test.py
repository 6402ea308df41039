#!/usr/bin/env python3
"""florin-banksim as a program: its ready line, its book across kill -9, its reports.

  banksim_program_test.py FLORIN_BANKSIM

The messages are made here, byte by byte, without our codec. The statement is held against the
published ISO 20022 schema of camt.052.001.04, which differs from camt.053.001.04 in names only.
Needs xmllint and the schemas of libhbci4j-core-java.
"""
import csv
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zipfile
from decimal import Decimal

BANKSIM = sys.argv[1]
SCHEMAS = "/usr/share/java/hbci4j-core.jar"
# Fields of variable length, and the digits of their length.
VARIABLE = {2: 2, 32: 2, 33: 2, 48: 3, 63: 3}
FIXED = {3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 49: 3, 70: 3, 90: 42}


def encode(mti, fields):
    first = second = 0
    body = b""
    for number in sorted(fields):
        if number <= 64:
            first |= 1 << (64 - number)
        else:
            second |= 1 << (128 - number)
            first |= 1 << 63
        value = fields[number].encode()
        body += (str(len(value)).zfill(VARIABLE[number]).encode() if number in VARIABLE else b"") + value
    maps = struct.pack(">Q", first) + (struct.pack(">Q", second) if second else b"")
    message = mti.encode() + maps + body
    return struct.pack(">H", len(message)) + message


def decode(message):
    mti, at = message[:4].decode(), 12
    bits = struct.unpack(">Q", message[4:12])[0]
    numbers = [n for n in range(1, 65) if bits >> (64 - n) & 1]
    if 1 in numbers:
        more = struct.unpack(">Q", message[12:20])[0]
        at = 20
        numbers += [n for n in range(65, 129) if more >> (128 - n) & 1]
    fields = {}
    for number in numbers:
        if number == 1:
            continue
        if number in VARIABLE:
            width = VARIABLE[number]
            length = int(message[at:at + width])
            at += width
        else:
            length = FIXED[number]
        fields[number] = message[at:at + length].decode()
        at += length
    assert at == len(message)
    return mti, fields


class Bank:
    def __init__(self, folder, *flags):
        self.process = subprocess.Popen(
            [BANKSIM, "--data-dir", folder, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", *flags],
            stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.link = self.connect("address")
        self.control = self.connect("control")

    def connect(self, which):
        host, port = self.ready[which].rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=20)

    def receive(self):
        length = struct.unpack(">H", self.exactly(2))[0]
        return decode(self.exactly(length))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.link.recv(count - len(data))
            if not piece:
                raise ConnectionError("the bank ended the connection")
            data += piece
        return data

    def ask(self, mti, fields):
        self.link.sendall(encode(mti, fields))
        return self.receive()[1]

    def command(self, request):
        self.control.sendall(json.dumps(request).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            line += self.control.recv(65536)
        return json.loads(line)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(20)
        for each in (self.link, self.control, self.process.stdout):
            each.close()
        return code


def fields(stan, minor, **more):
    made = {2: "4242424242424242", 3: "000000", 4: str(minor).zfill(12), 7: "1124130405",
            11: str(stan).zfill(6), 37: "6329" + str(stan).zfill(8), 41: "TERM0001", 49: "978"}
    made.update({int(key[1:]): value for key, value in more.items()})
    return made


def original(mti, stan):
    return mti + str(stan).zfill(6) + "1124130405" + "0" * 22


def payment_file(message, transfers, control_sum=None):
    """A pain.001.001.09 file, made here and not by our writer."""
    total = control_sum or str(sum(Decimal(amount) for _, amount in transfers))
    counted = f"<NbOfTxs>{len(transfers)}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
    orders = "".join(
        f"<CdtTrfTxInf><PmtId><EndToEndId>{name}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">{amount}</InstdAmt></Amt><Cdtr><Nm>A &amp; B</Nm></Cdtr>'
        "<CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct></CdtTrfTxInf>"
        for name, amount in transfers)
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>2026-11-24T18:00:00Z</CreDtTm>{counted}"
        "<InitgPty><Nm>Us</Nm></InitgPty></GrpHdr>"
        f"<PmtInf><PmtInfId>{message}-1</PmtInfId><PmtMtd>TRF</PmtMtd>{counted}"
        "<ReqdExctnDt><Dt>2026-11-25</Dt></ReqdExctnDt><Dbtr><Nm>Us</Nm></Dbtr>"
        "<DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct>"
        "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        f"{orders}</PmtInf></CstmrCdtTrfInitn></Document>")


class BanksimProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="florin-banksim-")
        self.data = os.path.join(self.folder.name, "bank")

    def tearDown(self):
        self.folder.cleanup()

    def report(self, kind, *flags):
        return subprocess.run([BANKSIM, "--data-dir", self.data, "report", kind, *flags],
                              capture_output=True, text=True, check=True).stdout

    def test_the_ready_line_has_the_addresses_and_sigterm_ends_it(self):
        bank = Bank(self.data)
        self.assertEqual(bank.ready["event"], "ready")
        self.assertEqual(bank.ask("0800", {7: "1124130405", 11: "000001", 70: "301"})[39], "00")
        self.assertEqual(bank.end(), 0)

    def test_wrong_use_ends_with_2(self):
        for flags in (["--data-dir", self.data], ["--listen", "127.0.0.1:0"],
                      ["--data-dir", self.data, "--listen", "nowhere"],
                      ["--data-dir", self.data, "--listen", "127.0.0.1:0", "--faults", "/nonexistent"],
                      ["--data-dir", self.data, "report", "mt940"]):
            done = subprocess.run([BANKSIM, *flags], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2, flags)
            self.assertEqual(done.stdout, "")

    def test_what_was_answered_survives_kill_9_and_nothing_is_booked_twice(self):
        """Captures stream in; the bank is killed among them, again and again; all are repeated."""
        captures = 0
        answered = {}
        for round_number in range(4):
            bank = Bank(self.data)
            wanted = range(round_number * 100 + 1, round_number * 100 + 41)
            codes = {}
            for stan in wanted:
                codes[stan] = bank.ask("0100", fields(stan, 5000))[38]
            advices = {stan: fields(stan + 10_000, 5000 - round_number, f38=codes[stan],
                                    f90=original("0100", stan)) for stan in wanted}
            # Everything at once, and the kill after some answers.
            bank.link.sendall(b"".join(encode("0220", advice) for advice in advices.values()))
            for _ in range(round_number * 10):
                _, reply = bank.receive()
                answered[reply[11]] = reply
            bank.end(signal.SIGKILL)
            bank = Bank(self.data)
            counted = bank.command({"counts": True})["captures"]
            self.assertGreaterEqual(counted, captures + round_number * 10)
            for advice in advices.values():
                reply = bank.ask("0221", advice)
                self.assertEqual(reply[39], "00")
                if advice[11] in answered:
                    self.assertEqual(reply, answered[advice[11]])
            captures += len(advices)
            self.assertEqual(bank.command({"counts": True})["captures"], captures)
            bank.end()
        lines = list(csv.reader(self.report("transactions").splitlines()))
        details = [line for line in lines if line[0] == "D"]
        self.assertEqual(len(details), captures)
        self.assertEqual(len({(line[8], line[12]) for line in details}), captures)

    def test_an_authorisation_after_its_reversal_is_refused(self):
        bank = Bank(self.data)
        self.assertEqual(bank.ask("0420", fields(2, 5000, f90=original("0100", 1)))[39], "25")
        bank.end(signal.SIGKILL)
        bank = Bank(self.data)
        self.assertEqual(bank.ask("0100", fields(1, 5000))[39], "94")
        self.assertEqual(bank.command({"counts": True})["refused_after_reversal"], 1)
        bank.end()

    def test_fault_rules_come_from_a_file_and_are_cleared(self):
        rules = os.path.join(self.folder.name, "rules")
        with open(rules, "w", encoding="utf-8") as out:
            out.write('{"decline":"91","match":{"amount_minor":777,"currency":"EUR"}}\n\n')
        bank = Bank(self.data, "--faults", rules)
        self.assertEqual(bank.ask("0100", fields(1, 777))[39], "91")
        self.assertEqual(bank.ask("0100", fields(2, 778))[39], "00")
        self.assertEqual(bank.command({"clear": True}), {"ok": True, "rules": 0})
        self.assertEqual(bank.ask("0100", fields(3, 777))[39], "00")
        bank.end()

    def test_the_reports_agree_with_each_other_and_with_the_schema(self):
        bank = Bank(self.data, "--acquirer", "acq", "--fee-basis-points", "100")
        for stan, minor, currency in ((1, 5000, "978"), (2, 2500, "978"), (3, 1200, "392")):
            code = bank.ask("0100", fields(stan, minor, f49=currency))[38]
            self.assertEqual(bank.ask("0220", fields(stan + 100, minor, f49=currency, f38=code,
                                                     f90=original("0100", stan)))[39], "00")
        self.assertEqual(bank.ask("0200", fields(201, 500, f3="200000", f90=original("0220", 101)))[39], "00")
        path = os.path.join(self.folder.name, "transactions.csv")
        date = bank.command({"report": "transactions", "path": path})["date"]
        bank.end()
        with open(path, encoding="utf-8") as report:
            online = report.read()
        self.assertEqual(online, self.report("transactions", "--date", date))
        lines = list(csv.reader(online.splitlines()))
        self.assertEqual(lines[0], ["H", "florin-acquirer-report", "1", "acq", date])
        self.assertEqual(lines[-1], ["T", "4", "2"])
        for total in (line for line in lines if line[0] == "S"):
            mine = [line for line in lines if line[0] == "D" and line[1] == total[1]]
            self.assertEqual(len(mine), int(total[3]))
            net = sum(int(line[3]) * (1 if line[2] == "capture" else -1) - int(line[5]) for line in mine)
            self.assertEqual(net, int(total[8]))
        nets = {line[1]: int(line[8]) for line in lines if line[0] == "S"}
        self.assertEqual(nets, {f"acq-{date}-EUR": 6925, f"acq-{date}-JPY": 1188})
        self.check_statement(self.report("camt053", "--date", date), nets)

    def test_a_payment_file_is_executed_once_across_kill_9_and_is_on_the_statement(self):
        path = os.path.join(self.folder.name, "payments.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(payment_file("M-1", [("P-1", "3978.00"), ("P-2", "0.05")]))
        executed = {"ok": True, "message_id": "M-1", "transfers": 2, "already": False}
        bank = Bank(self.data, "--acquirer", "acq")
        self.assertEqual(bank.command({"collect": path}), executed)
        bank.end(signal.SIGKILL)
        again = subprocess.run([BANKSIM, "--data-dir", self.data, "collect", path],
                               capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(again), {**executed, "already": True})
        bank = Bank(self.data)
        self.assertEqual(bank.command({"return": {"end_to_end_id": "P-2"}}), {"ok": True, "already": False})
        self.assertEqual(bank.command({"return": {"end_to_end_id": "P-2"}}), {"ok": True, "already": True})
        counts = bank.command({"counts": True})
        self.assertEqual((counts["transfers"], counts["returns"]), (2, 1))
        statement = os.path.join(self.folder.name, "camt.xml")
        bank.command({"report": "camt053", "path": statement})
        bank.end(signal.SIGKILL)
        with open(statement, encoding="utf-8") as report:
            xml = report.read()
        self.check_statement(xml, {"P-1": -397800, "P-2": -5, "P-2 returned": 5})
        with open(path, "w", encoding="utf-8") as out:
            out.write(payment_file("M-2", [("P-3", "1.00")], control_sum="1.01"))
        refused = subprocess.run([BANKSIM, "--data-dir", self.data, "collect", path],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("CtrlSum says 1.01", json.loads(refused.stdout)["error"])

    def check_statement(self, xml, nets):
        spaces = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.04"}
        found = {}
        for statement in ElementTree.fromstring(xml).iterfind(".//c:Stmt", spaces):
            def signed(node):
                amount = Decimal(node.find("c:Amt", spaces).text)
                return amount if node.find("c:CdtDbtInd", spaces).text == "CRDT" else -amount
            opening, closing = (signed(node) for node in statement.findall("c:Bal", spaces))
            entries = statement.findall("c:Ntry", spaces)
            self.assertEqual(opening + sum(map(signed, entries)), closing)
            for entry in entries:
                digits = 0 if entry.find("c:Amt", spaces).get("Ccy") == "JPY" else 2
                is_reversal = entry.find("c:RvslInd", spaces) is not None
                name = entry.find(".//c:EndToEndId", spaces).text + (" returned" if is_reversal else "")
                found[name] = int(signed(entry).scaleb(digits))
        self.assertEqual(found, nets)
        # The same document as an account report, whose schema the Java package brings.
        renamed = re.sub(r"\bStmt\b", "Rpt", xml.replace("camt.053.001.04", "camt.052.001.04"))
        renamed = renamed.replace("BkToCstmrStmt", "BkToCstmrAcctRpt")
        document = os.path.join(self.folder.name, "statement.xml")
        schema = os.path.join(self.folder.name, "camt.052.001.04.xsd")
        with open(document, "w", encoding="utf-8") as out:
            out.write(renamed)
        with zipfile.ZipFile(SCHEMAS) as jar, open(schema, "wb") as out:
            out.write(jar.read("camt.052.001.04.xsd"))
        checked = subprocess.run(["xmllint", "--noout", "--schema", schema, document],
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result
    broken = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - broken} passed, {broken} failed")
    sys.exit(1 if broken else 0)

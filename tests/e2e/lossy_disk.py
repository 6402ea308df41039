#!/usr/bin/env python3
"""A disk that loses its power: a block device with a volatile write cache, and ext4 on it.

  lossy_disk.py IMAGE FOLDER [MOUNT_OPTIONS]

Serves one file by FUSE (the kernel's protocol, no library), on FOLDER/device, for a loop device that is
mounted on FOLDER/mount. What is written goes to the cache; a flush of the device (fsync of that file:
what the loop driver makes of one) makes it stable in IMAGE. So IMAGE never has a page that the file
system kept to itself, nor a write that was never flushed, unless the dice below keep it.

Prints {"event":"ready"}, then does what lines on its standard input ask for, each answered by one:
  cut SEED   the power is lost now: from here on nothing that is asked of the disk is answered. Each
             write that was not flushed is kept, lost, or torn at a sector, as the dice of SEED fall
             (0: all are lost). Whoever waits for the disk goes on waiting.
  end        what waits gets EIO; unmounts, and ends. So does the end of standard input.
Needs root, /dev/fuse and loop devices; ends with 77 and the reason where they are refused.
"""
import ctypes
import errno
import json
import os
import random
import select
import stat
import struct
import subprocess
import sys

ROOT, DISK = 1, 2  # inodes
SECTOR = 512
WRITE_MAX = 128 * 1024
(LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, OPENDIR, RELEASEDIR,
 ACCESS, INTERRUPT, DESTROY, BATCH_FORGET) = (
    1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 27, 29, 34, 36, 38, 42)
SILENT = (FORGET, BATCH_FORGET, INTERRUPT)  # never answered
NAME = b"disk"
libc = ctypes.CDLL(None, use_errno=True)


def refuse(why):
    print(f"lossy_disk.py: {why}", file=sys.stderr)
    sys.exit(77)


class Disk:
    def __init__(self, image):
        """`image` is what is stable; beside it stands what a reader sees, which goes with the process."""
        self.stable = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.stable).st_size
        subprocess.run(["cp", "--sparse=always", image, image + ".seen"], check=True)  # holes stay holes
        self.seen = os.open(image + ".seen", os.O_RDWR)
        os.unlink(image + ".seen")
        self.cached = []  # (offset, bytes) since the last flush

    def write(self, offset, data):
        os.pwrite(self.seen, data, offset)
        self.cached.append((offset, data))

    def flush(self):
        for offset, data in self.cached:
            os.pwrite(self.stable, data, offset)
        self.cached.clear()

    def cut(self, seed):
        """Leaves in the image what the dice keep of the cache, in any order. Answers how many of each."""
        fates = {"kept": 0, "torn": 0, "lost": 0}
        dice = random.Random(seed)
        writes = self.cached
        dice.shuffle(writes)
        for offset, data in writes:
            fate = dice.choice(list(fates)) if seed else "lost"
            fates[fate] += 1
            if fate != "lost":
                sectors = len(data) // SECTOR
                kept = len(data) if fate == "kept" else dice.randrange(sectors + 1) * SECTOR
                os.pwrite(self.stable, data[:kept], offset)
        self.cached = []
        return fates


class Server:
    def __init__(self, disk, device):
        self.disk = disk
        self.device = device
        self.is_cut = False
        self.is_over = False
        self.waiting = []  # requests that came after the cut
        self.fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"lossy_disk", device.encode(), b"fuse.lossy_disk", 0, options) != 0:
            refuse(f"mount: {os.strerror(ctypes.get_errno())}")

    def attributes(self, inode):
        size, mode = (self.disk.size, stat.S_IFREG | 0o600) if inode == DISK else (0, stat.S_IFDIR | 0o700)
        return struct.pack("<6Q10I", inode, size, size // SECTOR, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def answer(self, unique, data=b"", error=0):
        try:
            os.write(self.fuse, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)
        except OSError as failed:
            if failed.errno not in (errno.ENOENT, errno.ENODEV):  # nobody waits for it any more
                raise

    def serve_one(self):
        try:
            request = os.read(self.fuse, WRITE_MAX + 65536)
        except OSError as failed:
            if failed.errno == errno.ENODEV:  # unmounted
                return False
            if failed.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                return True
            raise
        _, operation, unique, inode = struct.unpack_from("<IIQQ", request)
        if operation in SILENT:
            return True
        if self.is_over:
            # What the kernel needs to take the device away is not refused.
            gone = operation in (RELEASE, RELEASEDIR, FLUSH, DESTROY)
            self.answer(unique, error=0 if gone else errno.EIO)
        elif self.is_cut:
            self.waiting.append(unique)
        else:
            self.serve(operation, unique, inode, request[40:])
        return True

    def serve(self, operation, unique, inode, body):
        forever = 1 << 30  # seconds that the kernel may remember an answer
        if operation == INIT:
            async_read, big_writes, async_dio = 1 << 0, 1 << 5, 1 << 15
            readahead = struct.unpack_from("<I", body, 8)[0]
            self.answer(unique, struct.pack(
                "<4I2H2I2H8I", 7, 31, readahead, async_read | big_writes | async_dio, 64, 48, WRITE_MAX, 1, 0, 0, *[0] * 8))
        elif operation == LOOKUP:
            if inode == ROOT and body.rstrip(b"\0") == NAME:
                self.answer(unique, struct.pack("<4Q2I", DISK, 0, forever, forever, 0, 0) + self.attributes(DISK))
            else:
                self.answer(unique, error=errno.ENOENT)
        elif operation in (GETATTR, SETATTR):
            self.answer(unique, struct.pack("<Q2I", forever, 0, 0) + self.attributes(inode))
        elif operation in (OPEN, OPENDIR):
            self.answer(unique, struct.pack("<Q2I", 0, 0, 0))
        elif operation == READ:
            offset, size = struct.unpack_from("<QI", body, 8)
            self.answer(unique, os.pread(self.disk.seen, size, offset))
        elif operation == WRITE:
            offset, size = struct.unpack_from("<QI", body, 8)
            self.disk.write(offset, body[40:40 + size])
            self.answer(unique, struct.pack("<II", size, 0))
        elif operation == FSYNC:
            self.disk.flush()
            self.answer(unique)
        elif operation == STATFS:
            self.answer(unique, struct.pack("<5Q10I", 0, 0, 0, 0, 0, 4096, 255, 4096, *[0] * 7))
        elif operation in (RELEASE, RELEASEDIR, FLUSH, ACCESS, DESTROY):
            self.answer(unique)
        else:
            self.answer(unique, error=errno.ENOSYS)

    def cut(self, seed):
        self.is_cut = True
        return self.disk.cut(seed)

    def end(self):
        self.is_over = True
        for unique in self.waiting:
            self.answer(unique, error=errno.EIO)
        self.waiting.clear()

    def run(self, *command):
        """Runs a program that may need the disk, and serves the disk meanwhile. Answers its output, or None."""
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while child.poll() is None:
            if select.select([self.fuse], [], [], 0.01)[0] and not self.serve_one():
                break
        out, err = child.communicate()
        self.said = err.strip()
        return out.strip() if child.returncode == 0 else None


def say(event):
    print(json.dumps(event), flush=True)


def main():
    image, folder, options = sys.argv[1], sys.argv[2], (sys.argv[3:] or ["noatime"])[0]
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # of losetup
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        refuse("needs root and /dev/fuse")
    device, mount = os.path.join(folder, "device"), os.path.join(folder, "mount")
    for each in (device, mount):
        os.makedirs(each, exist_ok=True)
    server = Server(Disk(image), device)
    loop = None
    is_mounted = False
    try:
        loop = server.run("losetup", "--find", "--show", "--direct-io=on", os.path.join(device, NAME.decode()))
        if loop is None:
            refuse(f"losetup: {server.said}")
        is_mounted = server.run("mount", "-t", "ext4", "-o", options, loop, mount) is not None
        if not is_mounted:
            print(f"lossy_disk.py: mount: {server.said}", file=sys.stderr)
            return 1
        say({"event": "ready"})
        asked = b""
        while True:
            ready = select.select([server.fuse, 0], [], [])[0]
            if server.fuse in ready:
                server.serve_one()
            if 0 in ready:
                more = os.read(0, 4096)
                asked += more
                if not more:
                    return 0
                while b"\n" in asked:
                    line, asked = asked.split(b"\n", 1)
                    word, *arguments = line.decode().split()
                    if word == "end":
                        return 0
                    say({"event": "cut", **server.cut(int(arguments[0]))})
    finally:
        server.end()
        # Whoever has files open there may take a moment to die.
        for patience in range(100):
            if not is_mounted or server.run("umount", mount) is not None:
                break
            server.run("sleep", "0.1")
        else:
            server.run("umount", "--lazy", mount)
        if loop is not None:
            server.run("losetup", "--detach", loop)
        server.run("umount", "--lazy", device)


if __name__ == "__main__":
    sys.exit(main())

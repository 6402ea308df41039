// The operating system's files and threads, sparing: what the ledger writes does not stay in the
// page cache, and compaction takes the processor only when nobody else wants it.
//
// A ledger writes some hundred bytes a transfer for ever and reads back little of it. Left alone,
// the system keeps all of it in memory until there is none, and takes a fresh page for each page
// written, which in a virtual machine may cost ten times what the copy itself costs. Pages that
// are given up as soon as they are on the disk are the ones that are written next.
//
// RocksDB's block cache keeps what is read. Thread rule: any thread.
#pragma once

namespace rocksdb {
class Env;
}

namespace florin::ledger {

// Lives as long as the process.
rocksdb::Env* sparing_env();

}  // namespace florin::ledger

// RocksDB's table files, looked at before RocksDB opens them.
//
// RocksDB reads the properties of a table before it compares their checksum. If the top bit of the
// block's last word has flipped, it takes the block for one with a hash index, and a build with
// assertions, as Debian's is, stops the process. That one bit is looked at here; every other
// flipped bit is found by RocksDB itself. Thread rule: any thread, blocking.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>

namespace rocksdb {
class Env;
}

namespace florin::ledger {

// Errc::corrupt, naming the file, if opening one of the directory's table files would stop the
// process. What cannot be read or understood is left for RocksDB to say.
Result<void> check_table_files(std::filesystem::path const& directory, rocksdb::Env& env);

}  // namespace florin::ledger

// A data directory to be read while somebody may write it: a picture of one moment, made of hard
// links to the files that never change and copies of the few that grow.
//
// The views come first and the journal after them, so that the journal is never behind; a picture
// during which a store changed its set of files is taken again. The process that writes does not
// notice. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>

namespace florin::ledger {

class ReadableDirectory {
public:
    // The directory itself where nobody writes it; else a picture in a folder of its own inside it.
    // It goes with this object. Errors as DataDirectory::open has them for reading.
    static Result<ReadableDirectory> of(std::filesystem::path const& data_dir);

    ReadableDirectory(ReadableDirectory&& other) noexcept;
    ReadableDirectory& operator=(ReadableDirectory&& other) noexcept;
    ~ReadableDirectory();

    // Holds FORMAT and ledger/; in a picture nothing else.
    std::filesystem::path const& path() const { return path_; }
    // Who writes the directory; 0: nobody.
    int writer() const { return writer_; }
    bool is_picture() const { return is_picture_; }

private:
    ReadableDirectory() = default;

    std::filesystem::path path_;
    int writer_ = 0;
    bool is_picture_ = false;
};

}  // namespace florin::ledger

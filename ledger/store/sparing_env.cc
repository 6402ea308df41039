#include "ledger/store/sparing_env.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace florin::ledger {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// The system is asked to write a range and does so while more is appended. So much later it is
// taken to be on the disk; a page that is not stays, and is given up when the file is synced.
constexpr std::uint64_t kWritingBytes = 8U << 20U;
constexpr std::uint64_t kPageBytes = 4096;
// Fewer are not worth the call.
constexpr std::uint64_t kForgetBytes = 1U << 20U;

// A file that is written from its start to its end.
class SparingFile final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    explicit SparingFile(std::unique_ptr<FSWritableFile>&& file)
        : FSWritableFileOwnerWrapper{std::move(file)} {}

    IOStatus Append(rocksdb::Slice const& data, IOOptions const& options, IODebugContext* context)
        override {
        size_ += data.size();
        return FSWritableFileOwnerWrapper::Append(data, options, context);
    }
    IOStatus Append(
        rocksdb::Slice const& data,
        IOOptions const& options,
        rocksdb::DataVerificationInfo const& verification,
        IODebugContext* context
    ) override {
        size_ += data.size();
        return FSWritableFileOwnerWrapper::Append(data, options, verification, context);
    }
    IOStatus RangeSync(
        std::uint64_t offset, std::uint64_t bytes, IOOptions const& options, IODebugContext* context
    ) override {
        IOStatus status = FSWritableFileOwnerWrapper::RangeSync(offset, bytes, options, context);
        if (status.ok() && offset + bytes > kWritingBytes) {
            forget_up_to(offset + bytes - kWritingBytes);
        }
        return status;
    }
    IOStatus Sync(IOOptions const& options, IODebugContext* context) override {
        IOStatus status = FSWritableFileOwnerWrapper::Sync(options, context);
        return synced(std::move(status));
    }
    IOStatus Fsync(IOOptions const& options, IODebugContext* context) override {
        IOStatus status = FSWritableFileOwnerWrapper::Fsync(options, context);
        return synced(std::move(status));
    }
    IOStatus Close(IOOptions const& options, IODebugContext* context) override {
        // From the start: pages that were still being written at their turn are on the disk now.
        forgotten_ = 0;
        forget_up_to(size_);
        return FSWritableFileOwnerWrapper::Close(options, context);
    }

private:
    IOStatus synced(IOStatus status) {
        if (status.ok()) {
            forget_up_to(size_);
        }
        return status;
    }
    // A hint: where it fails, the pages stay. So does a last page that is not full: the next bytes
    // go there, and the system would read it first.
    void forget_up_to(std::uint64_t end) {
        end -= end % kPageBytes;
        if (end >= forgotten_ + kForgetBytes) {
            target()->InvalidateCache(forgotten_, end - forgotten_).PermitUncheckedError();
            forgotten_ = end;
        }
    }

    std::uint64_t size_ = 0;
    std::uint64_t forgotten_ = 0;  // as far as the pages were given up
};

class SparingFiles final : public rocksdb::FileSystemWrapper {
public:
    SparingFiles() : FileSystemWrapper{rocksdb::FileSystem::Default()} {}
    char const* Name() const override { return "SparingFiles"; }

    IOStatus NewWritableFile(
        std::string const& path,
        rocksdb::FileOptions const& options,
        std::unique_ptr<FSWritableFile>* file,
        IODebugContext* context
    ) override {
        IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, context);
        if (status.ok()) {
            *file = std::make_unique<SparingFile>(std::move(*file));
        }
        return status;
    }
};

}  // namespace

rocksdb::Env* sparing_env() {
    static std::unique_ptr<rocksdb::Env> const env = [] {
        auto made = rocksdb::NewCompositeEnv(std::make_shared<SparingFiles>());
        // Compaction can wait; payments cannot. Where the system refuses, it does not.
        made->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW, rocksdb::CpuPriority::kLow)
            .PermitUncheckedError();
        return made;
    }();
    return env.get();
}

}  // namespace florin::ledger

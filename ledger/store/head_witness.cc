#include "ledger/store/head_witness.h"

#include "ledger/base/io_error.h"
#include "ledger/store/data_dir.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace florin::ledger {
namespace {

constexpr std::size_t kSlotBytes = 64;
constexpr std::string_view kMagic = "FLORINHD";

std::string encode(Position const& head) {
    std::string slot;
    ByteWriter out{slot};
    out.raw(kMagic);
    out.little(head.sequence);
    out.raw(view(head.hash));
    out.little(std::uint64_t{0});
    out.little(crc32c(slot));
    out.little(std::uint32_t{0});
    return slot;
}

std::optional<Position> decode(ByteView slot) {
    ByteReader in{slot, "HEAD"};
    auto const magic = in.take(kMagic.size());
    auto const sequence = in.little<std::uint64_t>();
    auto const hash = in.take(32);
    auto const zero = in.little<std::uint64_t>();
    auto const checksum = in.little<std::uint32_t>();
    auto const end = in.little<std::uint32_t>();
    if (!end || *magic != kMagic || *zero != 0 || *end != 0 ||
        *checksum != crc32c(slot.substr(0, 56))) {
        return std::nullopt;
    }
    Position head{.sequence = *sequence, .hash = {}};
    std::memcpy(head.hash.data(), hash->data(), head.hash.size());
    return head;
}

struct Slots {
    std::optional<Position> newest;
    unsigned newest_slot = 0;
    bool damaged = false;
};

Result<Slots> read_slots(int file, std::filesystem::path const& path) {
    char bytes[2 * kSlotBytes + 1];
    ssize_t const count = ::pread(file, bytes, sizeof bytes, 0);
    if (count < 0) {
        return std::unexpected{io_error(path)};
    }
    ByteView const all{bytes, static_cast<std::size_t>(count)};
    Slots slots;
    slots.damaged = all.size() != 2 * kSlotBytes;
    for (unsigned slot = 0; slot < 2 && all.size() >= (slot + 1) * kSlotBytes; ++slot) {
        ByteView const raw = all.substr(slot * kSlotBytes, kSlotBytes);
        auto const head = decode(raw);
        // The first write goes to slot 1; until then only the chain's beginning is known.
        bool const never_written = slot == 1 && slots.newest && slots.newest->sequence == 0 &&
                                   raw.find_first_not_of('\0') == ByteView::npos;
        slots.damaged = slots.damaged || (!head && !never_written);
        if (head && (!slots.newest || head->sequence > slots.newest->sequence)) {
            slots.newest = head;
            slots.newest_slot = slot;
        }
    }
    return slots;
}

}  // namespace

HeadWitness::~HeadWitness() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

Result<void> HeadWitness::open(std::filesystem::path const& path, bool read_only) {
    path_ = path;
    file_ = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (file_ < 0) {
        if (errno == ENOENT) {
            return fail(Errc::not_found, path.string() + ": no such file");
        }
        return std::unexpected{io_error(path)};
    }
    FLORIN_TRY(Slots const slots, read_slots(file_, path));
    if (!slots.newest) {
        return fail(
            Errc::corrupt, path.string() + ": both witnesses of the journal's end are damaged"
        );
    }
    known_ = *slots.newest;
    next_slot_ = 1 - slots.newest_slot;
    return {};
}

Result<void> HeadWitness::create(std::filesystem::path const& path, Position const& beginning) {
    // Whole under its name or not there at all: a crash must not leave half a witness.
    std::filesystem::path fresh = path;
    fresh += ".new";
    int const file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return std::unexpected{io_error(fresh)};
    }
    path_ = path;
    file_ = file;
    std::string bytes = encode(beginning);
    bytes.resize(2 * kSlotBytes);
    if (::pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
        ::fsync(file_) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
        return std::unexpected{io_error(path)};
    }
    known_ = beginning;
    next_slot_ = 1;
    return sync_directory(path.parent_path());
}

Result<void> HeadWitness::verify(std::filesystem::path const& path) {
    int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return std::unexpected{io_error(path)};
    }
    auto const slots = read_slots(file, path);
    ::close(file);
    if (!slots) {
        return std::unexpected{slots.error()};
    }
    if (slots->damaged) {
        return fail(Errc::corrupt, path.string() + ": a witness of the journal's end is damaged");
    }
    return {};
}

Result<void> HeadWitness::write(Position const& head) {
    std::string const slot = encode(head);
    auto const offset = static_cast<off_t>(next_slot_ * kSlotBytes);
    if (::pwrite(file_, slot.data(), slot.size(), offset) != static_cast<ssize_t>(slot.size())) {
        return std::unexpected{io_error(path_)};
    }
    next_slot_ = 1 - next_slot_;
    known_ = head;
    return {};
}

Result<void> HeadWitness::sync() {
    if (::fdatasync(file_) != 0) {
        return std::unexpected{io_error(path_)};
    }
    return {};
}

}  // namespace florin::ledger

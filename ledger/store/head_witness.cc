#include "ledger/store/head_witness.h"

#include <cerrno>
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

}  // namespace

HeadWitness::~HeadWitness() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

Result<void> HeadWitness::open(std::filesystem::path const& path, bool read_only) {
    path_ = path;
    file_ = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
    if (file_ < 0) {
        return fail(Errc::io, path.string() + ": " + std::strerror(errno));
    }
    char bytes[2 * kSlotBytes];
    ssize_t const count = ::pread(file_, bytes, sizeof bytes, 0);
    if (count < 0) {
        return fail(Errc::io, path.string() + ": " + std::strerror(errno));
    }
    ByteView const all{bytes, static_cast<std::size_t>(count)};
    bool damaged = false;
    for (unsigned slot = 0; slot < 2 && all.size() >= (slot + 1) * kSlotBytes; ++slot) {
        ByteView const raw = all.substr(slot * kSlotBytes, kSlotBytes);
        auto const head = decode(raw);
        damaged = damaged || (!head && raw.find_first_not_of('\0') != ByteView::npos);
        if (head && (!known_ || head->sequence > known_->sequence)) {
            known_ = head;
            next_slot_ = 1 - slot;
        }
    }
    // A write is one slot inside one sector: a process that dies leaves it whole or not begun.
    if (damaged || all.size() % kSlotBytes != 0) {
        return fail(Errc::corrupt, path.string() + ": a witness of the journal's end is damaged");
    }
    return {};
}

Result<void> HeadWitness::write(Position const& head) {
    std::string const slot = encode(head);
    auto const offset = static_cast<off_t>(next_slot_ * kSlotBytes);
    if (::pwrite(file_, slot.data(), slot.size(), offset) != static_cast<ssize_t>(slot.size())) {
        return fail(Errc::io, path_.string() + ": " + std::strerror(errno));
    }
    next_slot_ = 1 - next_slot_;
    known_ = head;
    return {};
}

Result<void> HeadWitness::sync() {
    if (::fdatasync(file_) != 0) {
        return fail(Errc::io, path_.string() + ": " + std::strerror(errno));
    }
    return {};
}

}  // namespace florin::ledger

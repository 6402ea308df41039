#include "ledger/record.h"

#include "ledger/base/check.h"

#include <cstddef>

namespace florin::ledger {
namespace {

constexpr std::size_t kChecksummedBytes = offsetof(RecordHeader, header_checksum);

ByteView bytes_of(RecordHeader const& header) {
    return {reinterpret_cast<char const*>(&header), sizeof header};
}

std::string name(std::uint64_t sequence) {
    return "record " + std::to_string(sequence);
}

}  // namespace

crypto::Digest record_hash(ByteView header, ByteView transfers, ByteView effects) {
    thread_local crypto::Sha256 hash;
    hash.update(header);
    hash.update(transfers);
    hash.update(effects);
    return hash.finish();
}

EncodedRecord encode_record(
    RecordHeader header, std::string transfers, std::string effects, std::vector<Payload> payloads
) {
    FLORIN_CHECK(
        transfers.size() == header.count * sizeof(Transfer), "a record counts its transfers"
    );
    std::size_t const body = transfers.size() + effects.size();
    FLORIN_CHECK(sizeof header + body <= kRecordBytesMax, "a record is bounded");
    header.body_length = static_cast<std::uint32_t>(body);
    header.body_checksum = crc32c(effects, crc32c(transfers));
    header.header_checksum = crc32c(bytes_of(header).substr(0, kChecksummedBytes));
    EncodedRecord record;
    record.header = bytes_of(header);
    record.position = {header.sequence, record_hash(record.header, transfers, effects)};
    record.transfers = std::move(transfers);
    record.effects = std::move(effects);
    record.payloads = std::move(payloads);
    return record;
}

Result<RecordHeader> decode_header(ByteView bytes) {
    if (bytes.size() != sizeof(RecordHeader)) {
        return fail(
            Errc::corrupt, "a record header of " + std::to_string(bytes.size()) + " bytes, not 128"
        );
    }
    RecordHeader header;
    std::memcpy(static_cast<void*>(&header), bytes.data(), sizeof header);
    if (header.magic != kRecordMagic) {
        return fail(Errc::corrupt, "a record header does not begin with FLORINJR");
    }
    if (header.header_checksum != crc32c(bytes.substr(0, kChecksummedBytes))) {
        return fail(Errc::corrupt, name(header.sequence) + ": checksum of the header differs");
    }
    if (header.format > kRecordFormat) {
        return fail(
            Errc::unsupported,
            name(header.sequence) + ": format " + std::to_string(header.format) +
                ", this version reads up to " + std::to_string(kRecordFormat)
        );
    }
    if (header.format == 0 || header.zero != 0) {
        return fail(Errc::corrupt, name(header.sequence) + ": format field of the header");
    }
    if (header.body_length > kRecordBytesMax ||
        std::uint64_t{header.count} * sizeof(Transfer) > header.body_length) {
        return fail(Errc::corrupt, name(header.sequence) + ": lengths in the header");
    }
    return header;
}

Result<void> check_body(RecordHeader const& header, ByteView transfers, ByteView effects) {
    if (transfers.size() != header.count * sizeof(Transfer) ||
        transfers.size() + effects.size() != header.body_length) {
        return fail(
            Errc::corrupt,
            name(header.sequence) + ": body of " +
                std::to_string(transfers.size() + effects.size()) + " bytes, the header says " +
                std::to_string(header.body_length)
        );
    }
    if (crc32c(effects, crc32c(transfers)) != header.body_checksum) {
        return fail(Errc::corrupt, name(header.sequence) + ": checksum of the body differs");
    }
    return {};
}

Position genesis_position(std::array<unsigned char, 16> const& ledger_id) {
    return {0, crypto::sha256(view(ledger_id))};
}

Result<CheckedRecord> check_record(
    Journal::StoredRecord const& stored,
    std::array<unsigned char, 16> const& ledger_id,
    Position const& previous,
    Epoch epoch_before
) {
    FLORIN_TRY(RecordHeader const header, decode_header(stored.header));
    FLORIN_TRY_VOID(check_body(header, stored.transfers, stored.effects));
    if (header.ledger_id != ledger_id) {
        return fail(
            Errc::corrupt,
            name(header.sequence) + ": belongs to ledger " + to_hex(view(header.ledger_id)) +
                ", not " + to_hex(view(ledger_id))
        );
    }
    if (header.sequence != previous.sequence + 1) {
        return fail(
            Errc::corrupt, name(header.sequence) + ": stands after " + name(previous.sequence)
        );
    }
    if (header.prev_hash != previous.hash) {
        return fail(
            Errc::corrupt,
            name(header.sequence) + ": does not continue the chain of " + name(previous.sequence)
        );
    }
    if (header.epoch < epoch_before) {
        return fail(
            Errc::corrupt,
            name(header.sequence) + ": epoch goes back from " + std::to_string(epoch_before) +
                " to " + std::to_string(header.epoch)
        );
    }
    return CheckedRecord{
        .header = header,
        .position = {header.sequence, record_hash(stored.header, stored.transfers, stored.effects)},
    };
}

Result<void> check_group(
    Group const& group,
    std::array<unsigned char, 16> const& ledger_id,
    Lease const& lease,
    Position const& expected
) {
    if (group.empty()) {
        return fail(Errc::malformed, "a group without records");
    }
    Position previous = expected;
    for (auto const& record : group) {
        FLORIN_TRY(RecordHeader const header, decode_header(record->header));
        Sequence const sequence = record->position.sequence;
        if (header.sequence != sequence || sequence != previous.sequence + 1 ||
            header.prev_hash != previous.hash) {
            return fail(
                Errc::malformed, name(sequence) + ": does not follow " + name(previous.sequence)
            );
        }
        if (header.ledger_id != ledger_id || header.epoch != lease.epoch) {
            return fail(Errc::malformed, name(sequence) + ": of another ledger or epoch");
        }
        previous = record->position;
    }
    return {};
}

std::size_t group_bytes(Group const& group) {
    std::size_t bytes = 0;
    for (auto const& record : group) {
        bytes += record->bytes();
    }
    return bytes;
}

Transfer transfer_at(ByteView transfers, std::size_t index) {
    FLORIN_CHECK((index + 1) * sizeof(Transfer) <= transfers.size(), "the transfer is there");
    Transfer transfer;
    std::memcpy(
        static_cast<void*>(&transfer), transfers.data() + index * sizeof transfer, sizeof transfer
    );
    return transfer;
}

}  // namespace florin::ledger

// The journal record: header, body, hash chain. This file is the format.
//
//   record    := header body
//   header    := 128 bytes, RecordHeader below
//   body      := transfers effects
//   transfers := Transfer{header.count}          128 bytes each, as created, in order
//   effects   := (type u8, zero u8, zero u16, length u32, bytes{length})*   effects.h
//   hash      := SHA-256(header body); the next record carries it as prev_hash
//
// Everything is little-endian. On disk a record is cut into chunks (store/local_journal.cc): chunk
// 0 holds header and effects, each further chunk 32 transfers, so that one transfer can be read
// alone. Payloads (personal data, stored answers, event bodies) stay beside the record: effects
// name them by index, length and SHA-256, so dropping one leaves the chain verifiable.
//
// What this does not do: decide anything. Thread rule: pure functions.
#pragma once

#include "ledger/journal.h"

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

namespace florin::ledger {

inline constexpr std::uint16_t kRecordFormat = 1;
inline constexpr std::array<char, 8> kRecordMagic{'F', 'L', 'O', 'R', 'I', 'N', 'J', 'R'};
inline constexpr std::size_t kRecordBytesMax = 4U << 20U;
inline constexpr std::size_t kTransfersPerChunk = 32;

// Frozen: fields are never moved or reused; a new format number adds after them.
struct RecordHeader {
    std::array<char, 8> magic = kRecordMagic;
    std::uint16_t format = kRecordFormat;
    std::uint16_t zero = 0;
    std::uint32_t shard = 0;
    std::array<unsigned char, 16> ledger_id{};
    std::uint64_t sequence = 0;
    std::uint64_t epoch = 0;
    std::array<unsigned char, 16> leader_id{};
    std::array<unsigned char, 32> prev_hash{};
    std::uint64_t stable_sequence = 0;  // known committed when this record was made
    std::uint64_t time = 0;             // batch clock, nanoseconds since 1970 UTC
    std::uint32_t count = 0;            // transfers at the start of the body
    std::uint32_t body_length = 0;      // bytes
    std::uint32_t body_checksum = 0;    // CRC-32C of the body
    std::uint32_t header_checksum = 0;  // CRC-32C of the 124 bytes before
};
static_assert(sizeof(RecordHeader) == 128);
static_assert(std::has_unique_object_representations_v<RecordHeader>);

// Fills lengths and checksums, and answers the record with its hash. `header` needs everything
// else.
EncodedRecord encode_record(
    RecordHeader header, std::string transfers, std::string effects, std::vector<Payload> payloads
);

// Checks magic, format, lengths and both checksums. Errc::unsupported for a newer format,
// Errc::corrupt for anything else wrong; the text names the sequence where it can be known.
Result<RecordHeader> decode_header(ByteView header);
Result<void> check_body(RecordHeader const& header, ByteView transfers, ByteView effects);
crypto::Digest record_hash(ByteView header, ByteView transfers, ByteView effects);

// The position before record 1.
Position genesis_position(std::array<unsigned char, 16> const& ledger_id);

// Reads header and body of a stored record, checks everything a record can say about itself, and
// that it follows `previous` (position, ledger id, epoch not going back).
struct CheckedRecord {
    RecordHeader header;
    Position position;
};
Result<CheckedRecord> check_record(
    Journal::StoredRecord const& stored,
    std::array<unsigned char, 16> const& ledger_id,
    Position const& previous,
    Epoch epoch_before
);

// Whether a group is one that may be asked for at all: not empty, each record of this ledger and
// under this lease, each where its header says, and one chain from `expected` on. Headers are read,
// bodies are taken for what encode_record made them.
Result<void> check_group(
    Group const& group,
    std::array<unsigned char, 16> const& ledger_id,
    Lease const& lease,
    Position const& expected
);
// Bytes of a group's records and payloads.
std::size_t group_bytes(Group const& group);

// Transfer `index` of a body's first part. The caller has checked that it is there.
Transfer transfer_at(ByteView transfers, std::size_t index);

}  // namespace florin::ledger

#include "ledger/history.h"

#include "ledger/base/check.h"

namespace florin::ledger {
namespace {

constexpr unsigned char kCreditBit = 0x80;

bool releases(ChangeKind kind) {
    return kind == ChangeKind::post_pending || kind == ChangeKind::void_pending ||
           kind == ChangeKind::expired;
}

// Signed differences as small unsigned numbers, modulo 2^64.
std::uint64_t zigzag(std::uint64_t difference) {
    auto const sign = static_cast<std::uint64_t>(-static_cast<std::int64_t>(difference >> 63U));
    return (difference << 1U) ^ sign;
}
std::uint64_t unzigzag(std::uint64_t coded) {
    return (coded >> 1U) ^ (~(coded & 1U) + 1);
}

Result<HistoryEntry> decode_change(ByteReader& in, HistoryEntry const& previous) {
    HistoryEntry entry;
    BalanceChange& change = entry.change;
    FLORIN_TRY(auto const later, in.varint64());
    change.timestamp = previous.change.timestamp + unzigzag(later);
    FLORIN_TRY(auto const kind, in.little<std::uint8_t>());
    change.credit = (kind & kCreditBit) != 0;
    if ((kind & ~kCreditBit) > static_cast<int>(ChangeKind::expired)) {
        return fail(Errc::corrupt, "history: kind " + std::to_string(kind));
    }
    change.kind = static_cast<ChangeKind>(kind & ~kCreditBit);
    FLORIN_TRY(auto const further, in.varint64());
    change.sequence = previous.change.sequence + further;
    FLORIN_TRY(auto const index, in.varint64());
    change.index = static_cast<std::uint32_t>(index);
    FLORIN_TRY(change.amount, in.varint());
    if (releases(change.kind)) {
        FLORIN_TRY(change.released, in.varint());
    }
    entry.after = previous.after;
    apply_change(entry.after, change.credit, change.kind, change.amount, change.released);
    return entry;
}

Result<std::vector<HistoryEntry>> decode_block(ByteView key, ByteView value) {
    ByteReader key_reader{key, "history key"};
    FLORIN_TRY_VOID(key_reader.take(16));
    HistoryEntry previous;
    FLORIN_TRY(previous.change.sequence, key_reader.big<std::uint64_t>());
    ByteReader in{value, "history"};
    FLORIN_TRY(previous.change.timestamp, in.little<std::uint64_t>());
    FLORIN_TRY(previous.after.debits_pending, in.varint());
    FLORIN_TRY(previous.after.debits_posted, in.varint());
    FLORIN_TRY(previous.after.credits_pending, in.varint());
    FLORIN_TRY(previous.after.credits_posted, in.varint());
    FLORIN_TRY(auto const count, in.varint64());
    std::vector<HistoryEntry> entries;
    for (std::uint64_t i = 0; i < count; ++i) {
        FLORIN_TRY(HistoryEntry entry, decode_change(in, previous));
        previous = entry;
        entries.push_back(entry);
    }
    return entries;
}

}  // namespace

void HistoryBlock::add(Balances const& before, BalanceChange const& change) {
    if (empty()) {
        opening_ = before;
        first_timestamp_ = last_timestamp_ = change.timestamp;
        first_sequence_ = last_sequence_ = change.sequence;
    }
    FLORIN_CHECK(change.sequence >= last_sequence_, "history goes forward along the journal");
    char raw[5 * kVarintBytesMax + 1];
    std::size_t size = put_varint(raw, zigzag(change.timestamp - last_timestamp_));
    auto const kind = static_cast<unsigned char>(change.kind);
    raw[size++] = static_cast<char>(change.credit ? kind | kCreditBit : kind);
    size += put_varint(raw + size, change.sequence - last_sequence_);
    size += put_varint(raw + size, change.index);
    size += put_varint(raw + size, change.amount);
    if (releases(change.kind)) {
        size += put_varint(raw + size, change.released);
    }
    changes_.append(raw, size);
    last_timestamp_ = change.timestamp;
    last_sequence_ = change.sequence;
    ++count_;
}

std::string HistoryBlock::key(u128 account_id, std::uint32_t number) const {
    std::string key = history_key_from(account_id, first_sequence_);
    ByteWriter{key}.big(number);
    return key;
}

std::string HistoryBlock::value() const {
    std::string value;
    ByteWriter out{value};
    out.little(first_timestamp_);
    out.varint(opening_.debits_pending);
    out.varint(opening_.debits_posted);
    out.varint(opening_.credits_pending);
    out.varint(opening_.credits_posted);
    out.varint(count_);
    out.raw(changes_);
    return value;
}

void HistoryBlock::clear() {
    opening_ = {};
    first_timestamp_ = last_timestamp_ = 0;
    first_sequence_ = last_sequence_ = 0;
    count_ = 0;
    changes_.clear();
}

Result<std::vector<HistoryEntry>> decode_history(ByteView key, ByteView value) {
    auto entries = decode_block(key, value);
    if (!entries) {
        return fail(Errc::corrupt, "history block " + to_hex(key) + ": " + entries.error().context);
    }
    return entries;
}

std::string history_key_prefix(u128 account_id) {
    return key_of(account_id);
}

std::string history_key_from(u128 account_id, Sequence sequence) {
    std::string key = key_of(account_id);
    ByteWriter{key}.big(sequence);
    return key;
}

std::string key_of(u128 id) {
    std::string key;
    ByteWriter{key}.big(id);
    return key;
}

std::string key_of(std::uint64_t number) {
    std::string key;
    ByteWriter{key}.big(number);
    return key;
}

u128 u128_from_key(ByteView key) {
    FLORIN_CHECK(key.size() >= 16, "a key of at least 16 bytes");
    return *ByteReader{key, "key"}.big<u128>();
}

std::uint64_t u64_from_key(ByteView key) {
    FLORIN_CHECK(key.size() >= 8, "a key of at least 8 bytes");
    return *ByteReader{key, "key"}.big<std::uint64_t>();
}

}  // namespace florin::ledger

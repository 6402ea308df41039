// The record's bytes, as they lie in every data directory there will ever be.
#include "ledger/record.h"

#include "tests/ledger/support.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

RecordHeader golden_header() {
    RecordHeader header;
    header.shard = 0x01020304;
    for (unsigned char i = 0; i < 16; ++i) {
        header.ledger_id[i] = static_cast<unsigned char>(0xa0 + i);
        header.leader_id[i] = static_cast<unsigned char>(0xb0 + i);
    }
    header.sequence = 0x1112131415161718;
    header.epoch = 0x2122232425262728;
    header.prev_hash.fill(0xcc);
    header.stable_sequence = 0x3132333435363738;
    header.time = 0x4142434445464748;
    header.count = 1;
    return header;
}

EncodedRecord golden_record() {
    Transfer transfer;
    transfer.id = make_u128(0x0102030405060708, 0x090a0b0c0d0e0f10);
    transfer.debit_account_id = 0x11;
    transfer.credit_account_id = 0x22;
    transfer.amount = 0x33;
    transfer.pending_id = 0x44;
    transfer.user_data_128 = 0x55;
    transfer.user_data_64 = 0x66;
    transfer.user_data_32 = 0x77;
    transfer.timeout = 0x88;
    transfer.ledger = 0x99;
    transfer.code = 0xaa;
    transfer.flags = 0xbb;
    transfer.timestamp = 0xcc;
    std::string transfers{reinterpret_cast<char const*>(&transfer), sizeof transfer};
    return encode_record(golden_header(), std::move(transfers), "effects", {});
}

Journal::StoredRecord stored(EncodedRecord const& record) {
    return {
        .header = record.header,
        .transfers = record.transfers,
        .effects = record.effects,
        .payloads = {},
    };
}

// The header with its own checksum made right again.
std::string resealed(std::string header) {
    std::uint32_t const checksum = crc32c(ByteView{header}.substr(0, 124));
    std::memcpy(header.data() + 124, &checksum, sizeof checksum);
    return header;
}

}  // namespace

TEST_CASE("a record has exactly these bytes") {
    EncodedRecord const record = golden_record();
    CHECK(
        to_hex(record.header) ==
        "464c4f52494e4a52"                                                  // magic
        "0100"                                                              // format
        "0000"                                                              // zero
        "04030201"                                                          // shard
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"                                  // ledger id
        "1817161514131211"                                                  // sequence
        "2827262524232221"                                                  // epoch
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"                                  // leader id
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"  // previous hash
        "3837363534333231"                                                  // stable sequence
        "4847464544434241"                                                  // time
        "01000000"                                                          // count
        "87000000"                                                          // body length
        "b2a7b639"                                                          // body checksum
        "ea9d47a3"                                                          // header checksum
    );
    CHECK(
        to_hex(record.transfers) ==
        "100f0e0d0c0b0a090807060504030201"  // id
        "11000000000000000000000000000000"  // debit account
        "22000000000000000000000000000000"  // credit account
        "33000000000000000000000000000000"  // amount
        "44000000000000000000000000000000"  // pending id
        "55000000000000000000000000000000"  // user data 128
        "6600000000000000"
        "77000000"
        "88000000"  // user data 64, 32, timeout
        "99000000"
        "aa00"
        "bb00"
        "cc00000000000000"  // ledger, code, flags, timestamp
    );
    CHECK(record.effects == "effects");
    CHECK(record.position.sequence == 0x1112131415161718);
    CHECK(
        to_hex(view(record.position.hash)) ==
        "fe7f100fee7c9f7d7545739ceb7a1ee1a17e3c24ef27a889fdb431733c581af9"
    );
}

TEST_CASE("a record's hash is SHA-256 over header, transfers and effects") {
    EncodedRecord const record = golden_record();
    CHECK(
        record.position.hash == crypto::sha256(record.header + record.transfers + record.effects)
    );
    std::array<unsigned char, 16> const zero{};
    CHECK(genesis_position(zero).sequence == 0);
    CHECK(
        to_hex(view(genesis_position(zero).hash)) ==
        "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb"
    );
}

TEST_CASE("a header comes back as it was written") {
    EncodedRecord const record = golden_record();
    RecordHeader const header = must(decode_header(record.header));
    CHECK(header.shard == 0x01020304);
    CHECK(header.sequence == 0x1112131415161718);
    CHECK(header.epoch == 0x2122232425262728);
    CHECK(header.stable_sequence == 0x3132333435363738);
    CHECK(header.time == 0x4142434445464748);
    CHECK(header.count == 1);
    CHECK(header.body_length == sizeof(Transfer) + 7);
    must(check_body(header, record.transfers, record.effects));
    CHECK(transfer_at(record.transfers, 0).amount == 0x33);
}

TEST_CASE("every flipped bit of a record is found") {
    EncodedRecord const record = golden_record();
    Position const previous{record.position.sequence - 1, golden_header().prev_hash};
    auto const check = [&](EncodedRecord const& damaged) {
        return check_record(stored(damaged), golden_header().ledger_id, previous, 0);
    };
    REQUIRE(check(record));
    for (auto part : {&EncodedRecord::header, &EncodedRecord::transfers, &EncodedRecord::effects}) {
        for (std::size_t at = 0; at < (record.*part).size(); ++at) {
            for (int bit = 0; bit < 8; ++bit) {
                EncodedRecord damaged = record;
                auto& byte = (damaged.*part)[at];
                byte = static_cast<char>(byte ^ (1 << bit));
                CHECK_FALSE(check(damaged));
            }
        }
    }
}

TEST_CASE("a header of a newer format is unsupported, and says which") {
    std::string header = golden_record().header;
    header[8] = 2;
    Error const error = refused(decode_header(resealed(header)));
    CHECK(error.code == Errc::unsupported);
    CHECK(mentions(error, "format 2"));
}

TEST_CASE("a header with a wrong field is corrupt although its checksum is right") {
    std::string const good = golden_record().header;
    auto const with = [&](std::size_t at, char value) {
        std::string header = good;
        header[at] = value;
        return refused(decode_header(resealed(header))).code;
    };
    CHECK(with(0, 'X') == Errc::corrupt);  // magic
    CHECK(with(8, 0) == Errc::corrupt);    // format 0
    CHECK(with(10, 1) == Errc::corrupt);   // reserved
    CHECK(with(112, 2) == Errc::corrupt);  // more transfers than the body has room for
    CHECK(with(115, '\x7f') == Errc::corrupt);
    CHECK(with(119, 1) == Errc::corrupt);  // a body of 16 MiB
    CHECK(refused(decode_header(ByteView{good}.substr(1))).code == Errc::corrupt);
    CHECK(refused(decode_header({})).code == Errc::corrupt);
}

TEST_CASE("a record that does not follow the one before it is corrupt, and is named") {
    Position const beginning = genesis_position(kLedgerId);
    auto const first = a_record(beginning, 3);
    auto const second = a_record(first->position, 3);
    auto const check = [&](auto const& id, Position const& previous, Epoch epoch) {
        return check_record(stored(*second), id, previous, epoch);
    };
    CHECK(must(check(kLedgerId, first->position, 3)).position == second->position);

    Error const skipped = refused(check(kLedgerId, beginning, 3));
    CHECK(skipped.code == Errc::corrupt);
    CHECK(mentions(skipped, "record 2: stands after record 0"));
    Position other = first->position;
    other.hash[0] ^= 1U;
    CHECK(mentions(refused(check(kLedgerId, other, 3)), "record 2: does not continue the chain"));
    CHECK(mentions(refused(check(kLedgerId, first->position, 4)), "epoch goes back from 4 to 3"));
    auto stranger = kLedgerId;
    stranger[0] = 0;
    CHECK(mentions(refused(check(stranger, first->position, 3)), "belongs to ledger f102"));
}

TEST_CASE("a body of another length than the header says is corrupt") {
    EncodedRecord const record = golden_record();
    RecordHeader const header = must(decode_header(record.header));
    CHECK_FALSE(check_body(header, record.transfers, record.effects + "x"));
    CHECK_FALSE(check_body(header, {}, record.transfers + record.effects));
    CHECK_FALSE(check_body(header, record.transfers, {}));
}

TEST_CASE("only a chain of this ledger under this lease is a group") {
    Position const beginning = genesis_position(kLedgerId);
    Lease const lease{.epoch = 3, .leader_id = {}};
    Group const good = a_group(beginning, 3, 3);
    must(check_group(good, kLedgerId, lease, beginning));
    CHECK_FALSE(check_group({}, kLedgerId, lease, beginning));
    CHECK_FALSE(check_group(good, kLedgerId, lease, good[0]->position));
    CHECK_FALSE(check_group({good[0], good[2]}, kLedgerId, lease, beginning));
    CHECK_FALSE(check_group({good[1], good[0]}, kLedgerId, lease, beginning));
    CHECK_FALSE(check_group(a_group(beginning, 2, 1), kLedgerId, lease, beginning));
    CHECK_FALSE(check_group(good, std::array<unsigned char, 16>{}, lease, beginning));
    auto moved = std::make_shared<EncodedRecord>(*good[0]);
    moved->position.sequence = 2;
    CHECK_FALSE(check_group({moved}, kLedgerId, lease, beginning));
}

// The bytes of every effect, and that they come back; what is not an effect is refused.
#include "ledger/effects.h"

#include "tests/ledger/support.h"

#include <algorithm>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

crypto::Digest digest_of(unsigned char byte) {
    crypto::Digest digest;
    digest.fill(byte);
    return digest;
}

Account golden_account() {
    Account account;
    account.id = 0xa1;
    account.user_data_128 = 0xa2;
    account.user_data_64 = 0xa3;
    account.user_data_32 = 0xa4;
    account.ledger = 0xa5;
    account.code = 0xa6;
    account.flags = account_history;
    account.timestamp = 0xa7;
    return account;
}

struct Golden {
    char const* name;
    Effect effect;
    char const* hex;
};

// clang-format off
std::vector<Golden> goldens() {
    std::string const d(64, 'd');
    return {
        {"genesis", Genesis{.kind = LedgerKind::kernel_only}, "01000000" "01000000" "01"},
        {"clock_advanced", ClockAdvanced{}, "02000000" "00000000"},
        {"account_created", AccountCreated{.account = golden_account()},
         "03000000" "80000000"
         "a1000000000000000000000000000000" "00000000000000000000000000000000"
         "00000000000000000000000000000000" "00000000000000000000000000000000"
         "00000000000000000000000000000000" "a2000000000000000000000000000000"
         "a300000000000000" "a4000000" "00000000" "a5000000" "a600" "0800" "a700000000000000"},
        {"transfer_ids_used", TransferIdsUsed{.ids = {1, make_u128(2, 3)}},
         "04000000" "24000000" "02000000"
         "01000000000000000000000000000000" "03000000000000000200000000000000"},
        {"pending_resolved",
         PendingResolved{.index = 1, .state = PendingState::voided, .pending_flags = 3,
                         .pending_timestamp = 4, .expires_at = 5, .pending_amount = 6},
         "05000000" "27000000" "01000000" "02" "0300" "0400000000000000" "0500000000000000"
         "06000000000000000000000000000000"},
        {"pending_expired",
         PendingExpired{.pending_id = 1, .debit_account_id = 2, .credit_account_id = 3, .amount = 4,
                        .pending_timestamp = 5, .expires_at = 6, .timestamp = 7,
                        .transfers_before = 8, .pending_flags = 9},
         "06000000" "5e000000"
         "01000000000000000000000000000000" "02000000000000000000000000000000"
         "03000000000000000000000000000000" "04000000000000000000000000000000"
         "0500000000000000" "0600000000000000" "0700000000000000" "08000000" "0900"},
        {"document_written, body inside",
         DocumentWritten{.key = {.kind = 1, .owner = "ac", .id = "i"}, .version = 2, .body = "{}"},
         "07000000" "1c000000" "0100" "02000000" "6163" "01000000" "69" "0200000000000000" "00"
         "02000000" "7b7d"},
        {"document_written, body beside",
         DocumentWritten{.key = {.kind = 1, .owner = "ac", .id = "i"}, .version = 2,
                         .body = PayloadReference{.index = 3, .length = 4, .digest = digest_of(0xdd)}},
         "07000000" "3e000000" "0100" "02000000" "6163" "01000000" "69" "0200000000000000" "01"
         "03000000" "04000000" "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"},
        {"document_removed",
         DocumentRemoved{.key = {.kind = 0x0102, .owner = "", .id = "i"}, .version = 2},
         "08000000" "13000000" "0201" "00000000" "01000000" "69" "0200000000000000"},
        {"timer_set", TimerSet{.due_ns = 1, .kind = 2, .key = "k"},
         "09000000" "0f000000" "0100000000000000" "0200" "01000000" "6b"},
        {"timer_cleared", TimerCleared{.due_ns = 1, .kind = 2, .key = "k"},
         "0a000000" "0f000000" "0100000000000000" "0200" "01000000" "6b"},
        {"event_recorded",
         EventRecorded{.owner = "o", .id = "e", .type = "t",
                       .body = {.index = 0, .length = 5, .digest = digest_of(0xdd)}},
         "0b000000" "37000000" "01000000" "6f" "01000000" "65" "01000000" "74" "00000000" "05000000"
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"},
        {"counter_taken", CounterTaken{.counter = "c", .value = 9, .holder = "h"},
         "0c000000" "12000000" "01000000" "63" "0900000000000000" "01000000" "68"},
        {"counter_released", CounterReleased{.counter = "c", .value = 9},
         "0d000000" "0d000000" "01000000" "63" "0900000000000000"},
        {"document_event_recorded",
         DocumentEventRecorded{
             .event = {.owner = "o", .id = "e", .type = "t",
                       .body = {.index = 0, .length = 5, .digest = digest_of(0xdd)}},
             .kind = 0x0102, .document = 7},
         "0e000000" "3d000000" "01000000" "6f" "01000000" "65" "01000000" "74" "00000000" "05000000"
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" "0201" "07000000"},
    };
}
// clang-format on

std::string encoded(Effect const& effect) {
    std::string bytes;
    encode_effect(bytes, effect);
    return bytes;
}

Error refused_bytes(std::string const& bytes) {
    EffectReader reader{bytes};
    return refused(reader.next());
}

}  // namespace

TEST_CASE("every effect has exactly these bytes, and comes back from them") {
    std::vector<bool> seen(std::variant_size_v<Effect>);
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.name);
        std::string const bytes = encoded(golden.effect);
        CHECK(to_hex(bytes) == golden.hex);
        EffectReader reader{bytes};
        Effect const read = must(reader.next());
        CHECK(read.index() == golden.effect.index());
        CHECK(encoded(read) == bytes);
        CHECK(reader.at_end());
        seen[golden.effect.index()] = true;
    }
    CHECK(std::ranges::all_of(seen, [](bool was) { return was; }));
}

TEST_CASE("effects are read one after the other") {
    std::string bytes;
    for (Golden const& golden : goldens()) {
        encode_effect(bytes, golden.effect);
    }
    EffectReader reader{bytes};
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.name);
        CHECK(encoded(must(reader.next())) == encoded(golden.effect));
    }
    CHECK(reader.at_end());
}

TEST_CASE("an effect cut anywhere is malformed") {
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.name);
        std::string const bytes = encoded(golden.effect);
        for (std::size_t length = 1; length < bytes.size(); ++length) {
            CHECK(refused_bytes(bytes.substr(0, length)).code == Errc::malformed);
        }
    }
}

TEST_CASE("an effect whose body goes on after its last field is malformed") {
    for (Golden const& golden : goldens()) {
        CAPTURE(golden.name);
        std::string bytes = encoded(golden.effect) + "x";
        auto const length = static_cast<std::uint32_t>(bytes.size() - 8);
        std::memcpy(bytes.data() + 4, &length, sizeof length);
        CHECK(refused_bytes(bytes).code == Errc::malformed);
    }
}

TEST_CASE("an effect of an unknown type is unsupported, and its number is named") {
    for (int const type : {0, 15, 255}) {
        std::string bytes = encoded(ClockAdvanced{});
        bytes[0] = static_cast<char>(type);
        Error const error = refused_bytes(bytes);
        CHECK(error.code == Errc::unsupported);
        CHECK(mentions(error, "type " + std::to_string(type)));
    }
}

TEST_CASE("reserved bytes that are not zero are malformed") {
    for (std::size_t const at : {1U, 2U, 3U}) {
        std::string bytes = encoded(ClockAdvanced{});
        bytes[at] = 1;
        CHECK(refused_bytes(bytes).code == Errc::malformed);
    }
}

TEST_CASE("values that nothing means are malformed") {
    CHECK(
        refused_bytes(*from_hex("01000000"
                                "01000000"
                                "02"))
            .code == Errc::malformed
    );  // kind
    for (PendingState const state : {PendingState::open, PendingState::expired}) {
        CHECK(refused_bytes(encoded(PendingResolved{.state = state})).code == Errc::malformed);
    }
    std::string document = encoded(DocumentWritten{.key = {}, .version = 1, .body = "b"});
    document[8 + 2 + 4 + 4 + 8] = 2;  // neither inside nor beside
    CHECK(refused_bytes(document).code == Errc::malformed);
    // Four billion ids are not allocated before they are there.
    CHECK(
        refused_bytes(*from_hex("04000000"
                                "04000000"
                                "ffffffff"))
            .code == Errc::malformed
    );
}

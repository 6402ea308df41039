#include "ledger/json/answers.h"
#include "ledger/json/fast_requests.h"
#include "ledger/json/requests.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>

using namespace florin;
using namespace florin::ledger;
using nlohmann::ordered_json;

namespace {

// What a request says, for comparing two readings of it.
std::string content(ledger::Request const& request) {
    if (auto const* accounts = std::get_if<ledger::CreateAccounts>(&request)) {
        ledger::AccountsAnswer answer{accounts->events};
        std::string out = "accounts reserved";
        for (ledger::Account const& account : accounts->events) {
            out += " " + std::to_string(account.reserved);
        }
        append_answer(out, answer);
        return out;
    }
    if (auto const* transfers = std::get_if<ledger::CreateTransfers>(&request)) {
        std::string out;
        // The names of flags leave unknown bits out.
        for (ledger::Transfer const& transfer : transfers->events) {
            out += std::to_string(transfer.flags) + " ";
        }
        append_answer(out, ledger::TransfersAnswer{transfers->events});
        return out;
    }
    auto const* accounts = std::get_if<ledger::LookupAccounts>(&request);
    auto const* transfers = std::get_if<ledger::LookupTransfers>(&request);
    std::string out = accounts != nullptr ? "lookup accounts" : "lookup transfers";
    REQUIRE((accounts != nullptr || transfers != nullptr));
    for (u128 const id : accounts != nullptr ? accounts->ids : transfers->ids) {
        out += " " + to_string(id);
    }
    return out;
}

std::string repeated(std::string const& text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

}  // namespace

TEST_CASE("a request is read alike by both readers, or left to the careful one") {
    struct Row {
        std::string line;
        char const* code;  // "": is a request
        bool is_quick;     // the fast reader takes it
    };
    std::string const most = "340282366920938463463374607431768211455";
    Row const rows[] = {
        {R"({"create_transfers":[]})", "", true},
        {R"( { "create_transfers" : [ { } ] } )", "", true},
        {R"({"create_transfers":[{"id":"1","amount":2,"flags":["pending","linked"]}]})", "", true},
        {R"({"create_transfers":[{"id":")" + most + R"(","timeout":"7","code":65535}]})", "", true},
        {R"({"create_transfers":[{"flags":257,"ledger":4294967295}]})", "", true},
        {R"({"create_transfers":[{"flags":[]}]})", "", true},
        {R"({"create_transfers":[{"id":"00000000000000000000000000000000000000001"}]})",
         "bad_value",
         false},
        {R"({"create_transfers":[{"\u0069d":"\u0031"}]})", "", true},
        {R"({"create_transfers":[{"flags":["pending","nonsense"]}]})", "", false},
        {R"({"create_transfers":[{"flags":65536}]})", "", false},
        {R"({"create_transfers":[{"flags":"1"}]})", "", true},
        {R"({"create_transfers":[{"flags":[1]}]})", "bad_value", false},
        {R"({"create_transfers":[{"flags":["\ud800"]}]})", "malformed_json", false},
        {R"({"create_transfers":[{"flags":null}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":1,"id":2}]})", "", false},
        {R"({"create_transfers":[{"id":18446744073709551615}]})", "", true},
        {R"({"create_transfers":[{"id":18446744073709551616}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":340282366920938463463374607431768211455}]})",
         "bad_value",
         false},
        {R"({"create_transfers":[{"id":-0}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":-1}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":1.0}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":1e2}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":01}]})", "malformed_json", false},
        {R"({"create_transfers":[{"id":""}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":"1 "}]})", "bad_value", false},
        {R"({"create_transfers":[{"id":true}]})", "bad_value", false},
        {R"({"create_transfers":[{"code":65536}]})", "bad_value", false},
        {R"({"create_transfers":[{"ledger":"4294967296"}]})", "bad_value", false},
        {R"({"create_transfers":[{"user_data_64":"18446744073709551616"}]})", "bad_value", false},
        {R"({"create_transfers":[{"reserved":0}]})", "unknown_field", false},
        {R"({"create_transfers":[1]})", "bad_value", false},
        {R"({"create_transfers":{}})", "bad_value", false},
        {R"({"create_transfers":[{}],"create_accounts":[]})", "unknown_request", false},
        {R"({"create_transfers":[{}],"create_transfers":[]})", "", false},
        {R"({"create_accounts":[{"id":"1","ledger":1,"code":"2","flags":["closed"]}]})", "", true},
        {R"({"create_accounts":[{"user_data_128":1,"user_data_64":2,"user_data_32":3}]})", "", true
        },
        {R"({"create_accounts":[{"debits_posted":"1","reserved":2}]})", "", false},
        {R"({"create_accounts":[{"amount":1}]})", "unknown_field", false},
        {R"({"lookup_accounts":["1",2]})", "", true},
        {R"({"lookup_transfers":[]})", "", true},
        {R"({"lookup_transfers":["x"]})", "bad_value", false},
        {R"({"lookup":[]})", "unknown_request", false},
        {R"({})", "unknown_request", false},
        {R"([])", "unknown_request", false},
        {R"()", "malformed_json", false},
        {"\r", "malformed_json", false},
        {R"({"lookup_accounts":["1"]}})", "malformed_json", false},
        {R"({"lookup_accounts":["1"])", "malformed_json", false},
        {R"({"lookup_accounts":["1",]})", "malformed_json", false},
        {R"({"lookup_accounts":["1"]} x)", "malformed_json", false},
        // What JSON for Modern C++ takes besides: a mark of the byte order, and a zero for the end.
        {"\xef\xbb\xbf{\"lookup_accounts\":[1]}", "", false},
        {std::string{"{\"lookup_accounts\":[1]}\0garbage", 31}, "", false},
        {std::string{"{\"lookup_accounts\":[\"1\0\"]}", 26}, "malformed_json", false},
        {"{\"lookup_accounts\":[\"\xff\"]}", "malformed_json", false},
        {"{\"lookup_accounts\":[\"\xc3\xa4\"]}", "bad_value", false},
        {"{\"lookup_accounts\":[" + repeated("1,", 8188) + "1]}", "", true},
        {"{\"lookup_accounts\":[" + repeated("1,", 8189) + "1]}", "too_many_events", false},
        {"{\"create_transfers\":[" + repeated("{},", 8188) + "{}]}", "", true},
        {"{\"create_transfers\":[" + repeated("{},", 8189) + "{}]}", "too_many_events", false},
        {"{\"lookup_accounts\":" + repeated("[", 50) + repeated("]", 50) + "}", "bad_value", false},
        {"{\"lookup_accounts\":" + repeated("[", 100'000) + repeated("]", 100'000) + "}",
         "bad_value",
         false},
        {repeated("{\"lookup_accounts\":", 100'000) + "1" + repeated("}", 100'000),
         "bad_value",
         false},
        {repeated("[", 1'000'000), "malformed_json", false},
    };
    FastRequestReader fast;
    for (Row const& row : rows) {
        CAPTURE(row.line.substr(0, 200));
        auto const careful = parse_request(row.line);
        CHECK((careful ? "" : careful.error().code) == row.code);
        auto const quick = fast.read(row.line);
        CHECK(quick.has_value() == row.is_quick);
        if (quick) {
            REQUIRE(careful);
            CHECK(content(*quick) == content(*careful));
        }
    }
}

TEST_CASE("many transfers, written in every way there is, are read alike by both readers") {
    std::mt19937_64 random{7};
    FastRequestReader fast;
    auto const u64 = [&] { return random() >> (random() % 64); };
    auto const number = [&](std::uint64_t value) {
        return random() % 2 == 0 ? ordered_json(value) : ordered_json(std::to_string(value));
    };
    auto const big = [&] { return to_string(make_u128(u64(), random())); };
    std::size_t quick = 0;
    for (int round = 0; round < 200; ++round) {
        auto list = ordered_json::array();
        for (std::size_t i = random() % 20; i > 0; --i) {
            std::pair<char const*, ordered_json> fields[] = {
                {"id", big()},
                {"debit_account_id", number(u64())},
                {"credit_account_id", big()},
                {"amount", number(u64())},
                {"pending_id", big()},
                {"user_data_128", number(u64())},
                {"user_data_64", number(u64())},
                {"user_data_32", number(u64() >> 32)},
                {"timeout", number(u64() >> 32)},
                {"ledger", number(u64() >> 32)},
                {"code", number(u64() >> 48)},
                {"flags", number(u64() >> 48)},
                {"timestamp", number(u64())},
            };
            std::ranges::shuffle(fields, random);
            ordered_json event = ordered_json::object();
            for (auto const& [name, value] : fields) {
                if (random() % 3 != 0) {
                    event[name] = value;
                }
            }
            list.push_back(event);
        }
        std::string const line = ordered_json{{"create_transfers", list}}.dump();
        auto const careful = parse_request(line);
        REQUIRE(careful);
        auto const read = fast.read(line);
        REQUIRE(read);
        CHECK(content(*read) == content(*careful));
        ++quick;
    }
    CHECK(quick == 200);
}

TEST_CASE("answers are JSON with the fields in their order") {
    ledger::Account account;
    account.id = kU128Max;
    account.debits_pending = make_u128(1, 0);
    account.credits_posted = 12;
    account.user_data_64 = ~std::uint64_t{0};
    account.user_data_32 = ~std::uint32_t{0};
    account.ledger = 978;
    account.code = 65535;
    account.flags = ledger::kAccountFlagsKnown;
    account.timestamp = 5;
    ledger::Transfer transfer;
    transfer.id = 1;
    transfer.flags = ledger::kTransferFlagsKnown;
    transfer.timeout = 60;
    using Status = ledger::CreateTransferStatus;
    struct Row {
        ledger::Answer answer;
        char const* json;
    };
    Row const rows[] = {
        {ledger::CreateAccountsAnswer{}, R"({"results":[]})"},
        {ledger::CreateTransfersAnswer{{{Status::created, 2}, {Status::exceeds_credits, 3}}},
         R"({"results":[{"status":"created","timestamp":"2"},{"status":"exceeds_credits","timestamp":"3"}]})"
        },
        {ledger::AdvanceClockAnswer{9}, "{}"},
        {ledger::Receipt{.sequence = 7}, R"({"status":"committed","sequence":"7"})"},
        {ledger::AccountsAnswer{}, R"({"accounts":[]})"},
        {ledger::AccountsAnswer{{account}},
         R"({"accounts":[{"id":"340282366920938463463374607431768211455","debits_pending":"18446744073709551616","debits_posted":"0","credits_pending":"0","credits_posted":"12","user_data_128":"0","user_data_64":"18446744073709551615","user_data_32":4294967295,"ledger":978,"code":65535,"flags":["linked","debits_must_not_exceed_credits","credits_must_not_exceed_debits","history","imported","closed"],"timestamp":"5"}]})"
        },
        {ledger::TransfersAnswer{{transfer, {}}},
         R"({"transfers":[{"id":"1","debit_account_id":"0","credit_account_id":"0","amount":"0","pending_id":"0","user_data_128":"0","user_data_64":"0","user_data_32":0,"timeout":60,"ledger":0,"code":0,"flags":["linked","pending","post_pending_transfer","void_pending_transfer","balancing_debit","balancing_credit","closing_debit","closing_credit","imported"],"timestamp":"0"},{"id":"0","debit_account_id":"0","credit_account_id":"0","amount":"0","pending_id":"0","user_data_128":"0","user_data_64":"0","user_data_32":0,"timeout":0,"ledger":0,"code":0,"flags":[],"timestamp":"0"}]})"
        },
        {ledger::BalancesAnswer{{{.timestamp = 4, .debits_posted = kU128Max}}},
         R"({"balances":[{"timestamp":"4","debits_pending":"0","debits_posted":"340282366920938463463374607431768211455","credits_pending":"0","credits_posted":"0"}]})"
        },
    };
    for (Row const& row : rows) {
        std::string out;
        append_answer(out, row.answer);
        CHECK(out == row.json);
        CHECK(ordered_json::parse(out).dump() == out);
    }
}

TEST_CASE("an error keeps its line and is JSON whatever its message holds") {
    CHECK(
        render_error("bad_value", "a \"quote\"", 3) ==
        R"({"error":{"code":"bad_value","message":"a \"quote\"","line":3}})"
    );
    auto const parsed = ordered_json::parse(render_error("malformed_json", "\xff\n", 1));
    CHECK(parsed["error"]["code"] == "malformed_json");
}

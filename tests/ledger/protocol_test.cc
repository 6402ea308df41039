#include "ledger/protocol.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace florin;
using namespace florin::ledger;
namespace protocol = florin::ledger::protocol;
using protocol::AnswerFrame;
using protocol::ErrorCode;
using protocol::FrameHeader;
using protocol::Operation;

namespace {

std::string hex_of(ByteView bytes) {
    return to_hex(bytes);
}

FrameHeader request(Operation operation, std::uint32_t count, std::uint32_t body_length) {
    FrameHeader header;
    header.operation = static_cast<std::uint16_t>(operation);
    header.count = count;
    header.request_id = 5;
    header.body_length = body_length;
    return header;
}

// A request with this body, read the way a server does.
std::expected<Request, protocol::Refusal> decode(FrameHeader header, ByteView bytes) {
    header = protocol::seal(header, bytes);
    if (auto refusal = protocol::check_request(header)) {
        return std::unexpected{std::move(*refusal)};
    }
    protocol::RequestBody body{header};
    REQUIRE(body.space().size() == bytes.size());
    std::ranges::copy(bytes, body.space().begin());
    return std::move(body).take(header);
}

std::string read_file(std::string const& name) {
    std::ifstream in{FLORIN_SOURCE_DIR "/" + name};
    REQUIRE(in);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// "| 3 | `imported_event_expected` |" for every number that has a name, in one piece.
template <class Status>
std::string table_of() {
    std::string rows;
    for (unsigned number = 0; number < 256; ++number) {
        auto const name = status_name(static_cast<Status>(number));
        if (name != "unknown") {
            rows += "| " + std::to_string(number) + " | `" + std::string{name} + "` |\n";
        }
    }
    return "| number | status |\n|---|---|\n" + rows + "\n";
}

}  // namespace

TEST_CASE("a frame's header has the bytes that the documentation says") {
    FrameHeader header;
    header.version = 1;
    header.operation = 17;
    header.count = 2;
    header.request_id = 0x0102030405060708;
    header = protocol::seal(header, "123456789");
    CHECK(
        hex_of(protocol::bytes_of(header)) ==
        "464c4f52494e4c50"  // FLORINLP
        "0100"
        "1100"
        "02000000"          // version, operation, count
        "0807060504030201"  // request_id
        "09000000"
        "00000000"  // body_length, error
        "000000000000000000000000000000000000000000000000"
        "839206e3"  // CRC-32C's check value
        "6c1c69da"
    );
    auto const read = protocol::read_header(protocol::bytes_of(header));
    REQUIRE(read.has_value());
    CHECK(*read == header);
    CHECK(protocol::check_body(*read, "123456789").has_value());
    CHECK(!protocol::check_body(*read, "123456780").has_value());
    CHECK(!protocol::check_body(*read, "12345678").has_value());
    CHECK(protocol::seal(header, "").body_checksum == 0);
}

TEST_CASE("a header with any bit changed is not believed") {
    FrameHeader const header = protocol::seal(request(Operation::head, 0, 0), "");
    std::string const good{protocol::bytes_of(header)};
    REQUIRE(protocol::read_header(good).has_value());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        auto const read = protocol::read_header(bad);
        CAPTURE(bit);
        REQUIRE(!read.has_value());
        CHECK(read.error().code == Errc::malformed);
    }
    // Reserved bytes are refused also under a right checksum.
    FrameHeader reserved = header;
    reserved.reserved[23] = 1;
    auto const read = protocol::read_header(protocol::bytes_of(protocol::seal(reserved, "")));
    REQUIRE(!read.has_value());
    CHECK(read.error().context == "reserved bytes of the frame's header are not zero");
}

TEST_CASE("structs of the protocol have the bytes that the documentation says") {
    protocol::AccountFilter filter;
    filter.account_id = make_u128(0x0102030405060708, 0x090a0b0c0d0e0f10);
    filter.user_data_128 = 2;
    filter.user_data_64 = 3;
    filter.user_data_32 = 4;
    filter.code = 5;
    filter.timestamp_min = 6;
    filter.timestamp_max = 7;
    filter.limit = 8;
    filter.flags = 9;
    CHECK(
        hex_of(protocol::bytes_of(filter)) ==
        "100f0e0d0c0b0a090807060504030201"
        "02000000000000000000000000000000"
        "0300000000000000"
        "04000000"
        "0500" +
            std::string(116, '0') +
            "0600000000000000"
            "0700000000000000"
            "08000000"
            "09000000"
    );
    protocol::QueryFilter query;
    query.user_data_128 = 1;
    query.user_data_64 = 2;
    query.user_data_32 = 3;
    query.ledger = 4;
    query.code = 5;
    query.timestamp_min = 6;
    query.timestamp_max = 7;
    query.limit = 8;
    query.flags = 1;
    CHECK(
        hex_of(protocol::bytes_of(query)) ==
        "01000000000000000000000000000000"
        "0200000000000000"
        "03000000"
        "04000000"
        "0500"
        "000000000000"
        "0600000000000000"
        "0700000000000000"
        "08000000"
        "01000000"
    );
    protocol::Hello hello;
    hello.version_min = 1;
    hello.version_max = 2;
    hello.token_length = 3;
    hello.token = {'a', 'b', 'c'};
    CHECK(
        hex_of(protocol::bytes_of(hello)) ==
        "0100"
        "0200"
        "0300" +
            std::string(116, '0') + "616263" + std::string(250, '0')
    );
    // Account and Transfer: the offsets of the tables.
    Transfer transfer;
    transfer.id = 1;
    transfer.debit_account_id = 2;
    transfer.credit_account_id = 3;
    transfer.amount = 4;
    transfer.pending_id = 5;
    transfer.user_data_128 = 6;
    transfer.user_data_64 = 7;
    transfer.user_data_32 = 8;
    transfer.timeout = 9;
    transfer.ledger = 10;
    transfer.code = 11;
    transfer.flags = 12;
    transfer.timestamp = 13;
    auto const bytes = protocol::bytes_of(transfer);
    std::pair<std::size_t, char> const places[] = {
        {0, 1},
        {16, 2},
        {32, 3},
        {48, 4},
        {64, 5},
        {80, 6},
        {96, 7},
        {104, 8},
        {108, 9},
        {112, 10},
        {116, 11},
        {118, 12},
        {120, 13},
    };
    for (auto const& [offset, value] : places) {
        CAPTURE(offset);
        CHECK(bytes[offset] == value);
    }
}

TEST_CASE("requests become the ledger's, without a copy of their events") {
    Transfer transfer;
    transfer.id = 77;
    std::vector<Transfer> const transfers{transfer, transfer};
    auto const header = request(Operation::create_transfers, 2, 256);
    auto const created = decode(header, protocol::bytes_of(std::span{transfers}));
    REQUIRE(created.has_value());
    CHECK(std::get<CreateTransfers>(*created).events == transfers);

    protocol::RequestBody body{header};
    auto const* const room = body.space().data();
    auto sealed = protocol::seal(header, {room, 256});
    auto const taken = std::move(body).take(sealed);
    REQUIRE(taken.has_value());
    CHECK(reinterpret_cast<char const*>(std::get<CreateTransfers>(*taken).events.data()) == room);

    Account account;
    account.id = 78;
    auto const accounts =
        decode(request(Operation::create_accounts, 1, 128), protocol::bytes_of(account));
    REQUIRE(accounts.has_value());
    CHECK(std::get<CreateAccounts>(*accounts).events.at(0) == account);

    std::vector<u128> const ids{3, kU128Max};
    for (auto const operation : {Operation::lookup_accounts, Operation::lookup_transfers}) {
        auto const lookup = decode(request(operation, 2, 32), protocol::bytes_of(std::span{ids}));
        REQUIRE(lookup.has_value());
        bool const is_accounts = operation == Operation::lookup_accounts;
        CHECK(
            (is_accounts ? std::get<LookupAccounts>(*lookup).ids
                         : std::get<LookupTransfers>(*lookup).ids) == ids
        );
    }

    protocol::AccountFilter filter;
    filter.account_id = 1;
    filter.user_data_128 = 2;
    filter.user_data_64 = 3;
    filter.user_data_32 = 4;
    filter.code = 5;
    filter.timestamp_min = 6;
    filter.timestamp_max = 7;
    filter.limit = 8;
    filter.flags = 9;
    auto const filtered = [&](Operation operation) {
        return decode(request(operation, 1, 128), protocol::bytes_of(filter));
    };
    auto const by_account = filtered(Operation::get_account_transfers);
    REQUIRE(by_account.has_value());
    auto const& kernel = std::get<GetAccountTransfers>(*by_account).filter;
    CHECK((kernel.account_id == 1 && kernel.user_data_128 == 2 && kernel.user_data_64 == 3));
    CHECK((kernel.user_data_32 == 4 && kernel.code == 5 && kernel.timestamp_min == 6));
    CHECK((kernel.timestamp_max == 7 && kernel.limit == 8 && kernel.flags == 9));
    CHECK(std::holds_alternative<GetAccountBalances>(*filtered(Operation::get_account_balances)));
    filter.reserved[57] = 1;
    CHECK(filtered(Operation::get_account_balances).error().code == ErrorCode::malformed);

    protocol::QueryFilter query;
    query.user_data_128 = 1;
    query.user_data_64 = 2;
    query.user_data_32 = 3;
    query.ledger = 4;
    query.code = 5;
    query.timestamp_min = 6;
    query.timestamp_max = 7;
    query.limit = 8;
    query.flags = 1;
    auto const queried = [&](Operation operation) {
        return decode(request(operation, 1, 64), protocol::bytes_of(query));
    };
    auto const by_query = queried(Operation::query_accounts);
    REQUIRE(by_query.has_value());
    auto const& wanted = std::get<QueryAccounts>(*by_query).filter;
    CHECK((wanted.user_data_128 == 1 && wanted.user_data_64 == 2 && wanted.user_data_32 == 3));
    CHECK((wanted.ledger == 4 && wanted.code == 5 && wanted.timestamp_min == 6));
    CHECK((wanted.timestamp_max == 7 && wanted.limit == 8 && wanted.flags == 1));
    CHECK(std::holds_alternative<QueryTransfers>(*queried(Operation::query_transfers)));
    query.reserved[0] = 1;
    CHECK(queried(Operation::query_transfers).error().code == ErrorCode::malformed);
}

TEST_CASE("what a header shows to be wrong is refused before its body is read") {
    constexpr std::uint32_t kMany = kBatchEventsMax + 1;
    constexpr std::uint32_t kTooLong = protocol::kBodyBytesMax + 1;
    struct Row {
        FrameHeader header;
        ErrorCode code;
        bool ends;
    };
    auto const numbered = [](std::uint16_t operation) {
        FrameHeader header = request(Operation::head, 0, 0);
        header.operation = operation;
        return header;
    };
    FrameHeader with_error = request(Operation::head, 0, 0);
    with_error.error = 1;
    FrameHeader without_id = request(Operation::head, 0, 0);
    without_id.request_id = 0;
    Row const rows[] = {
        {with_error, ErrorCode::malformed, false},
        {without_id, ErrorCode::malformed, false},
        {numbered(0), ErrorCode::unknown_operation, false},
        {numbered(24), ErrorCode::unknown_operation, false},
        {numbered(17 | protocol::kAnswerBit), ErrorCode::unknown_operation, false},
        {request(Operation::create_transfers, kMany, kMany * 128), ErrorCode::too_many_events, false
        },
        {request(Operation::lookup_accounts, kMany, kMany * 16), ErrorCode::too_many_events, false},
        {request(Operation::lookup_accounts, 1, kTooLong), ErrorCode::too_many_events, true},
        {request(Operation::create_transfers, 0xffffffff, 0xffffff80),
         ErrorCode::too_many_events,
         true},
        {request(Operation::create_transfers, 2, 128), ErrorCode::malformed, false},
        {request(Operation::create_transfers, 0, 128), ErrorCode::malformed, false},
        {request(Operation::create_transfers, 1, 127), ErrorCode::malformed, false},
        {request(Operation::head, 0, 1), ErrorCode::malformed, false},
        {request(Operation::head, 1, 0), ErrorCode::malformed, false},
        {request(Operation::query_accounts, 2, 128), ErrorCode::malformed, false},
        {request(Operation::query_accounts, 0, 0), ErrorCode::malformed, false},
        {request(Operation::get_account_balances, 1, 64), ErrorCode::malformed, false},
    };
    for (Row const& row : rows) {
        CAPTURE(row.header.operation);
        CAPTURE(row.header.count);
        CAPTURE(row.header.body_length);
        auto const refusal = protocol::check_request(row.header);
        REQUIRE(refusal.has_value());
        CHECK(protocol::error_name(refusal->code) == protocol::error_name(row.code));
        CHECK(refusal->ends_connection == row.ends);
        CHECK(!refusal->text.empty());
    }
    CHECK(!protocol::check_request(
        request(Operation::create_transfers, kBatchEventsMax, kBatchEventsMax * 128)
    ));
    CHECK(!protocol::check_request(request(Operation::create_accounts, 0, 0)));
}

TEST_CASE("a body that differs from its checksum is refused, and so is a second hello") {
    Transfer const transfer;
    FrameHeader const header =
        protocol::seal(request(Operation::create_transfers, 1, 128), protocol::bytes_of(transfer));
    protocol::RequestBody body{header};
    body.space()[0] = 1;
    auto const taken = std::move(body).take(header);
    REQUIRE(!taken.has_value());
    CHECK(taken.error().text == "the checksum of the body differs");
    CHECK(!taken.error().ends_connection);
    protocol::Hello const hello;
    auto const again = decode(request(Operation::hello, 1, 192), protocol::bytes_of(hello));
    REQUIRE(!again.has_value());
    CHECK(again.error().code == ErrorCode::malformed);
}

TEST_CASE("a hello is read whole, and the highest common version is agreed on") {
    auto const read = [](protocol::Hello const& hello) {
        auto const bytes = protocol::bytes_of(hello);
        return protocol::read_hello(
            protocol::seal(request(Operation::hello, 1, 192), bytes), bytes
        );
    };
    protocol::Hello hello;
    hello.token_length = 2;
    hello.token = {'a', 'b'};
    REQUIRE(read(hello).has_value());
    CHECK(read(hello)->token_length == 2);
    protocol::Hello wrong = hello;
    wrong.reserved[5] = 1;
    CHECK(read(wrong).error().text == "reserved bytes of the hello are not zero");
    wrong = hello;
    wrong.token_length = 1;
    CHECK(read(wrong).error().text == "bytes behind the token are not zero");
    wrong.token_length = 129;
    CHECK(read(wrong).error().ends_connection);
    struct Row {
        std::uint16_t min, max, agreed;
    };
    for (Row const row :
         {Row{1, 1, 1}, {0, 9, 1}, {1, 65535, 1}, {2, 9, 0}, {0, 0, 0}, {1, 0, 0}}) {
        hello.version_min = row.min;
        hello.version_max = row.max;
        CAPTURE(row.min);
        CAPTURE(row.max);
        auto const version = protocol::agree_on_version(hello);
        CHECK(version.value_or(0) == row.agreed);
        CHECK((version || version.error().code == ErrorCode::unsupported_version));
    }
}

TEST_CASE("answers carry their elements, and fit their requests only") {
    auto const check = [](FrameHeader const& asked, AnswerFrame const& frame) {
        CHECK(frame.header().request_id == asked.request_id);
        CHECK(frame.header().body_length == frame.body().size());
        CHECK(protocol::read_header(protocol::bytes_of(frame.header())).has_value());
        CHECK(protocol::check_body(frame.header(), frame.body()).has_value());
        return protocol::check_answer(asked, frame.header()).has_value();
    };
    auto const create = request(Operation::create_transfers, 2, 256);
    CreateTransfersAnswer results;
    results.results = {
        {CreateTransferStatus::exceeds_debits, 0x0102030405060708},
        {CreateTransferStatus::created, 9}
    };
    auto const created = AnswerFrame::of(create, results);
    CHECK(check(create, created));
    CHECK(created.header().operation == (17 | 0x8000));
    CHECK(
        hex_of(created.body()) ==
        "0807060504030201"
        "43000000"
        "00000000"
        "0900000000000000"
        "00000000"
        "00000000"
    );
    CHECK(!check(request(Operation::create_transfers, 3, 384), created));
    CHECK(!check(request(Operation::create_accounts, 2, 256), created));
    CreateAccountsAnswer accounts_made;
    accounts_made.results = {{CreateAccountStatus::exists, 4}};
    auto const made = AnswerFrame::of(request(Operation::create_accounts, 1, 128), accounts_made);
    CHECK(
        hex_of(made.body()) ==
        "0400000000000000"
        "12000000"
        "00000000"
    );

    auto const lookup = request(Operation::lookup_accounts, 1, 16);
    AccountsAnswer accounts;
    accounts.accounts.resize(1);
    accounts.accounts[0].id = 7;
    auto const found = AnswerFrame::of(lookup, accounts);
    CHECK(check(lookup, found));
    CHECK(found.body() == protocol::bytes_of(accounts.accounts[0]));
    accounts.accounts.resize(2);
    CHECK(!check(lookup, AnswerFrame::of(lookup, accounts)));
    CHECK(check(lookup, AnswerFrame::of(lookup, AccountsAnswer{})));

    auto const query = request(Operation::query_transfers, 1, 64);
    TransfersAnswer transfers;
    transfers.transfers.resize(3);
    CHECK(check(query, AnswerFrame::of(query, transfers)));
    auto const balances_of = request(Operation::get_account_balances, 1, 128);
    BalancesAnswer balances;
    balances.balances = {
        {.timestamp = 5,
         .debits_pending = 1,
         .debits_posted = 2,
         .credits_pending = 3,
         .credits_posted = 4}
    };
    auto const balance = AnswerFrame::of(balances_of, balances);
    CHECK(check(balances_of, balance));
    CHECK((balance.body()[0] == 1 && balance.body()[16] == 2 && balance.body()[32] == 3));
    CHECK((balance.body()[48] == 4 && balance.body()[64] == 5 && balance.body().size() == 128));

    auto const refused = AnswerFrame::refusal(create, ErrorCode::overloaded, "later");
    CHECK(check(create, refused));
    CHECK(refused.header().error == 6);
    CHECK(refused.body() == "later");
    CHECK(
        AnswerFrame::refusal(create, ErrorCode::failed, std::string(5'000, 'x')).body().size() ==
        1'024
    );
    FrameHeader other = create;
    other.request_id = 6;
    CHECK(!protocol::check_answer(create, AnswerFrame::of(other, results).header()).has_value());
}

TEST_CASE("the documentation has every status with its number, every error, and the example") {
    std::string const page = read_file("docs/ledger-protocol.md");
    CHECK(page.find("### create_accounts\n\n" + table_of<CreateAccountStatus>()) != page.npos);
    CHECK(page.find("### create_transfers\n\n" + table_of<CreateTransferStatus>()) != page.npos);
    for (std::uint32_t number = 1; number < 9; ++number) {
        auto const name = protocol::error_name(static_cast<ErrorCode>(number));
        CAPTURE(name);
        CHECK(
            page.find("| " + std::to_string(number) + " | " + std::string{name} + " | ") !=
            page.npos
        );
    }
    CHECK(protocol::error_name(static_cast<ErrorCode>(9)) == "unknown");
    CHECK(page.find("```cpp\n" + read_file("docs/examples/ledger_client.cc") + "```") != page.npos);
}

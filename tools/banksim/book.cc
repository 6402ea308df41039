#include "tools/banksim/book.h"

#include "ledger/base/calendar.h"

#include <array>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <utility>

namespace florin::banksim {
namespace {

using connectors::iso8583::answer_mti;
using connectors::iso8583::parse_original_data;

constexpr char const* kSchema = R"(
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL);
-- Every financial message once, with the answer that its repeats get.
CREATE TABLE IF NOT EXISTS messages(
    class TEXT NOT NULL, stan TEXT NOT NULL, time TEXT NOT NULL, rrn TEXT NOT NULL,
    minor INTEGER NOT NULL, code TEXT NOT NULL, answer_minor INTEGER NOT NULL,
    authorization_code TEXT NOT NULL, repeats INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(class, stan, time, rrn));
CREATE TABLE IF NOT EXISTS authorisations(
    id INTEGER PRIMARY KEY, stan TEXT NOT NULL, time TEXT NOT NULL, rrn TEXT NOT NULL,
    terminal TEXT NOT NULL, minor INTEGER NOT NULL, currency INTEGER NOT NULL,
    authorization_code TEXT NOT NULL, pan TEXT NOT NULL,
    state TEXT NOT NULL CHECK(state IN ('approved', 'declined', 'reversed', 'refused')),
    captured INTEGER NOT NULL DEFAULT 0, refunded INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS authorisations_by_message ON authorisations(stan, time);
CREATE INDEX IF NOT EXISTS authorisations_by_rrn ON authorisations(rrn);
-- What came with them in private fields.
CREATE TABLE IF NOT EXISTS presented(
    id INTEGER PRIMARY KEY, rrn TEXT NOT NULL, indicator TEXT NOT NULL, cryptogram TEXT NOT NULL,
    version TEXT NOT NULL, transaction_id TEXT NOT NULL, credential_use TEXT NOT NULL,
    original TEXT NOT NULL, condition TEXT NOT NULL);
-- Originals that a reversal named before they came; they are refused when they do.
CREATE TABLE IF NOT EXISTS reversals(
    stan TEXT NOT NULL, time TEXT NOT NULL, terminal TEXT NOT NULL, found INTEGER NOT NULL,
    PRIMARY KEY(stan, time, terminal));
CREATE TABLE IF NOT EXISTS entries(
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, minor INTEGER NOT NULL, fee INTEGER NOT NULL,
    currency INTEGER NOT NULL, stan TEXT NOT NULL, time TEXT NOT NULL, rrn TEXT NOT NULL,
    authorization_code TEXT NOT NULL, pan TEXT NOT NULL, terminal TEXT NOT NULL,
    date TEXT NOT NULL, authorisation INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_date ON entries(date);
CREATE INDEX IF NOT EXISTS entries_by_message ON entries(stan, time);
-- Totals that the other side asked to compare, theirs and ours, with the same answer for repeats.
CREATE TABLE IF NOT EXISTS totals(
    class TEXT NOT NULL, stan TEXT NOT NULL, time TEXT NOT NULL, rrn TEXT NOT NULL,
    date TEXT NOT NULL, currency INTEGER NOT NULL, asked TEXT NOT NULL, answered TEXT NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(class, stan, time, rrn));
-- Executed payment files, and the transfers in them; `returned` is the date of the return or empty.
CREATE TABLE IF NOT EXISTS payment_files(message TEXT PRIMARY KEY, date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS transfers(
    id INTEGER PRIMARY KEY, message TEXT NOT NULL, payment TEXT NOT NULL,
    end_to_end TEXT NOT NULL, minor INTEGER NOT NULL, currency INTEGER NOT NULL,
    name TEXT NOT NULL, iban TEXT NOT NULL, remittance TEXT NOT NULL,
    date TEXT NOT NULL, returned TEXT NOT NULL DEFAULT '',
    UNIQUE(message, end_to_end));
CREATE INDEX IF NOT EXISTS transfers_by_end_to_end ON transfers(end_to_end);
CREATE INDEX IF NOT EXISTS transfers_by_date ON transfers(date);
CREATE INDEX IF NOT EXISTS transfers_by_return ON transfers(returned);
)";

// The test cards of the merchant API and what the issuer says to them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTestCards{{
    {"4000000000000002", "05"},
    {"4000000000009995", "51"},
    {"4000000000009987", "41"},
    {"4000000000009979", "43"},
    {"4000000000006975", "61"},
    {"4000000000000069", "54"},
    {"4000000000000127", "82"},
    {"4000000000000119", "96"},
}};

// Field 39 where the bank decides by itself (ISO 8583:1987 table A.13).
constexpr std::string_view kApproved = "00";
constexpr std::string_view kPartial = "10";
constexpr std::string_view kInvalidTransaction = "12";
constexpr std::string_view kInvalidAmount = "13";
constexpr std::string_view kInvalidCard = "14";
constexpr std::string_view kNotFound = "25";
constexpr std::string_view kFormatError = "30";
constexpr std::string_view kDuplicate = "94";

std::int64_t to_number(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::string str(std::string_view view) {
    return std::string{view};
}

}  // namespace

struct Book::Authorisation {
    std::int64_t id;
    Money amount;
    std::string authorization_code;
    std::string masked_pan;
    std::string state;
    std::int64_t captured;
    std::int64_t refunded;
};

Result<Book> Book::open(
    std::string const& data_dir, BookOptions const& options, Clock const& clock
) {
    if (options.acquirer.empty() || options.acquirer.size() > 20 ||
        options.acquirer.find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
        ) != std::string::npos) {
        return fail(Errc::malformed, "an acquirer is 1 to 20 letters, digits and hyphens");
    }
    std::error_code error;
    std::filesystem::create_directories(data_dir, error);
    if (error) {
        return fail(Errc::io, "cannot make " + data_dir + ": " + error.message());
    }
    FLORIN_TRY(auto database, Database::open(data_dir + "/bank.sqlite", options.is_synced));
    Book book{std::move(database), clock};
    FLORIN_TRY_VOID(book.database_.run_all(kSchema));
    for (auto const& [name, value] :
         {std::pair{"acquirer", options.acquirer},
          std::pair{"fee_basis_points", std::to_string(options.fee_basis_points)}}) {
        FLORIN_TRY_VOID(book.database_.run(
            "INSERT OR IGNORE INTO settings VALUES(?, ?)", {std::string{name}, value}
        ));
    }
    FLORIN_TRY(auto const rows, book.database_.run("SELECT value FROM settings ORDER BY name"));
    book.acquirer_ = text(rows.at(0).at(0));
    book.fee_basis_points_ = to_number(text(rows.at(1).at(0)));
    return book;
}

Result<void> Book::begin() {
    FLORIN_TRY_VOID(database_.run("BEGIN IMMEDIATE"));
    return {};
}

Result<void> Book::commit() {
    FLORIN_TRY_VOID(database_.run("COMMIT"));
    return {};
}

void Book::roll_back() {
    // Nothing to say where there is no group: the error that led here is told.
    [[maybe_unused]] auto const rolled_back = database_.run("ROLLBACK");
}

std::string Book::business_date() const {
    auto const seconds = static_cast<std::time_t>(clock_.wall_ns() / 1'000'000'000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 16> date{};
    return {date.data(), std::strftime(date.data(), date.size(), "%Y-%m-%d", &utc)};
}

std::string Book::transmission_time() const {
    return utc_transmission_time(seconds_of(clock_.wall_ns()));
}

Result<Message> Book::answer(
    Message const& request, Forced const& forced, Presented const& presented
) {
    if (request.mti().starts_with("05")) {
        return answer_totals(request, forced);
    }
    Message answer{answer_mti(request.mti())};
    // What tells the other side which request this answers.
    for (int const field : {3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 70, 90}) {
        if (request.has(field)) {
            answer.set(field, request.get(field));
        }
    }
    if (request.mti().starts_with("080")) {
        answer.set(39, kApproved);
        return answer;
    }
    if (!forced.refusal.empty()) {
        answer.set(39, forced.refusal);
        return answer;
    }
    auto const type = request.mti().substr(0, 3);
    auto const stan = str(request.get(11));
    auto const time = str(request.get(7));
    auto const rrn = str(request.trimmed(37));
    auto const minor = to_number(request.get(4));
    FLORIN_TRY(
        auto const known,
        database_.run(
            "UPDATE messages SET repeats = repeats + 1 WHERE class = ? AND stan = ? AND time = ? "
            "AND rrn = ? RETURNING minor, code, answer_minor, authorization_code",
            {type, stan, time, rrn}
        )
    );
    std::string code;
    if (known.empty()) {
        FLORIN_TRY(code, decide(request, forced, presented, answer));
        FLORIN_TRY_VOID(database_.run(
            "INSERT INTO messages(class, stan, time, rrn, minor, code, answer_minor, "
            "authorization_code) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            {type, stan, time, rrn, minor, code, to_number(answer.get(4)), str(answer.get(38))}
        ));
    } else if (auto const& row = known[0]; number(row[0]) != minor) {
        code = kDuplicate;  // the identity of another message
    } else {
        code = text(row[1]);
        auto const digits = std::to_string(number(row[2]));
        answer.set(4, std::string(12 - digits.size(), '0') + digits);
        if (!text(row[3]).empty()) {
            answer.set(38, text(row[3]));
        }
    }
    answer.set(39, code);
    return answer;
}

Result<std::string> Book::decide(
    Message const& request, Forced const& forced, Presented const& presented, Message& answer
) {
    auto const& mti = request.mti();
    if (request.get(11).empty() || request.get(7).empty() || request.get(37).empty() ||
        request.get(41).empty() || !request.amount() ||
        request.get(41).find_first_of(",\"") != std::string_view::npos) {  // reports are CSV
        return str(kFormatError);
    }
    if (mti == "0100" || mti == "0101") {
        FLORIN_TRY_VOID(database_.run(
            "INSERT INTO presented(rrn, indicator, cryptogram, version, transaction_id, "
            "credential_use, original, condition) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            {str(request.trimmed(37)),
             presented.electronic_commerce_indicator,
             presented.cryptogram,
             presented.three_d_secure_version,
             presented.three_d_secure_transaction,
             presented.credential_use,
             presented.original_network_transaction,
             str(request.get(25))}
        ));
        return authorise(request, forced, answer);
    }
    if (!forced.decline.empty()) {
        return forced.decline;
    }
    if (mti == "0220" || mti == "0221") {
        return capture(request, answer);
    }
    if ((mti == "0200" || mti == "0201") && request.get(3).starts_with("20")) {
        return refund(request, answer);
    }
    if (mti == "0420" || mti == "0421") {
        return reverse(request);
    }
    return str(kInvalidTransaction);
}

Result<std::string> Book::authorise(Message const& request, Forced const& forced, Message& answer) {
    auto const pan = request.pan();
    auto const stan = str(request.get(11));
    auto const time = str(request.get(7));
    auto const terminal = str(request.trimmed(41));
    std::string code = forced.decline.empty() ? str(kApproved) : forced.decline;
    auto amount = *request.amount();
    for (auto const& [card, says] : kTestCards) {
        if (pan.reveal() == card) {
            code = says;
        }
    }
    if (pan.size() < 12) {
        code = kInvalidCard;
    } else if (amount.minor == 0) {
        code = kInvalidAmount;
    } else if (code == kApproved && forced.partial_minor && *forced.partial_minor < amount.minor) {
        code = kPartial;
        amount.minor = *forced.partial_minor;
    }
    FLORIN_TRY(
        auto const reversed,
        database_.run(
            "SELECT 1 FROM reversals WHERE stan = ? AND time = ? AND terminal = ?",
            {stan, time, terminal}
        )
    );
    bool const is_refused = !reversed.empty() && !forced.forgets_reversal;
    if (is_refused) {
        code = kDuplicate;
    }
    bool const is_approved = code == kApproved || code == kPartial;
    FLORIN_TRY_VOID(database_.run(
        "INSERT INTO authorisations(stan, time, rrn, terminal, minor, currency, "
        "authorization_code, pan, state) VALUES(?, ?, ?, ?, ?, ?, '', ?, ?)",
        {stan,
         time,
         str(request.trimmed(37)),
         terminal,
         amount.minor,
         std::int64_t{amount.currency.numeric()},
         masked(pan),
         str(is_refused    ? "refused"
             : is_approved ? "approved"
                           : "declined")}
    ));
    if (!is_approved) {
        return code;
    }
    auto const id = database_.last_insert_id();
    auto const digits = std::to_string(id % 100'000);
    auto const authorization_code = "A" + std::string(5 - digits.size(), '0') + digits;
    FLORIN_TRY_VOID(database_.run(
        "UPDATE authorisations SET authorization_code = ? WHERE id = ?", {authorization_code, id}
    ));
    answer.set(38, authorization_code);
    FLORIN_TRY_VOID(answer.set_amount(amount));
    return code;
}

Result<std::optional<Book::Authorisation>> Book::find_authorisation(Message const& request) {
    constexpr std::string_view kSelect =
        "SELECT id, minor, currency, authorization_code, pan, state, captured, refunded "
        "FROM authorisations WHERE ";
    std::vector<Row> rows;
    if (auto const original = parse_original_data(request.get(90)); !original) {
        FLORIN_TRY(
            rows,
            database_.run(
                str(kSelect) + "rrn = ? AND terminal = ? ORDER BY id DESC LIMIT 1",
                {str(request.trimmed(37)), str(request.trimmed(41))}
            )
        );
    } else if (original->mti == "0100") {
        FLORIN_TRY(
            rows,
            database_.run(
                str(kSelect) + "stan = ? AND time = ? AND terminal = ?",
                {original->stan, original->transmission_time, str(request.trimmed(41))}
            )
        );
    } else {
        FLORIN_TRY(
            rows,
            database_.run(
                str(kSelect) + "id = (SELECT authorisation FROM entries WHERE type = 'capture' "
                               "AND stan = ? AND time = ? AND terminal = ?)",
                {original->stan, original->transmission_time, str(request.trimmed(41))}
            )
        );
    }
    if (rows.empty()) {
        return std::nullopt;
    }
    auto const& row = rows[0];
    return Authorisation{
        .id = number(row[0]),
        .amount = Money{number(row[1]), currency_of(row[2])},
        .authorization_code = text(row[3]),
        .masked_pan = text(row[4]),
        .state = text(row[5]),
        .captured = number(row[6]),
        .refunded = number(row[7]),
    };
}

Result<void> Book::book_entry(
    std::string_view type,
    Money amount,
    std::int64_t fee,
    std::int64_t authorisation,
    Message const& request
) {
    FLORIN_TRY_VOID(database_.run(
        "INSERT INTO entries(type, minor, fee, currency, stan, time, rrn, authorization_code, pan, "
        "terminal, date, authorisation) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, authorization_code, "
        "pan, ?8, ?9, id FROM authorisations WHERE id = ?10",
        {str(type),
         amount.minor,
         fee,
         std::int64_t{amount.currency.numeric()},
         str(request.get(11)),
         str(request.get(7)),
         str(request.trimmed(37)),
         str(request.trimmed(41)),
         business_date(),
         authorisation}
    ));
    return {};
}

Result<std::string> Book::capture(Message const& request, Message& answer) {
    FLORIN_TRY(auto const found, find_authorisation(request));
    auto const amount = *request.amount();
    if (!found || found->authorization_code != request.trimmed(38) ||
        found->masked_pan != masked(request.pan())) {
        return str(kNotFound);
    }
    if (found->state != "approved") {
        return str(kInvalidTransaction);
    }
    if (amount.minor == 0 || amount.currency != found->amount.currency ||
        amount.minor > found->amount.minor - found->captured) {
        return str(kInvalidAmount);
    }
    FLORIN_TRY(auto const fee, scale(amount, fee_basis_points_, 10'000, Rounding::half_even));
    FLORIN_TRY_VOID(database_.run(
        "UPDATE authorisations SET captured = captured + ? WHERE id = ?", {amount.minor, found->id}
    ));
    FLORIN_TRY_VOID(book_entry("capture", amount, fee.minor, found->id, request));
    answer.set(38, found->authorization_code);
    return str(kApproved);
}

Result<std::string> Book::refund(Message const& request, Message& answer) {
    FLORIN_TRY(auto const found, find_authorisation(request));
    auto const amount = *request.amount();
    if (!found || found->masked_pan != masked(request.pan())) {
        return str(kNotFound);
    }
    if (amount.minor == 0 || amount.currency != found->amount.currency ||
        amount.minor > found->captured - found->refunded) {
        return str(kInvalidAmount);
    }
    FLORIN_TRY_VOID(database_.run(
        "UPDATE authorisations SET refunded = refunded + ? WHERE id = ?", {amount.minor, found->id}
    ));
    FLORIN_TRY_VOID(book_entry("refund", amount, 0, found->id, request));
    answer.set(38, found->authorization_code);
    return str(kApproved);
}

// Only authorisations are reversed here: a capture or refund is corrected by its counterpart.
Result<std::string> Book::reverse(Message const& request) {
    auto const original = parse_original_data(request.get(90));
    if (!original) {
        return str(kFormatError);
    }
    if (original->mti != "0100") {
        return str(kInvalidTransaction);
    }
    FLORIN_TRY(auto const found, find_authorisation(request));
    if (found && found->captured > 0 && !request.has(95)) {
        return str(kInvalidTransaction);
    }
    if (found && request.has(95)) {
        auto const remaining = to_number(request.get(95).substr(0, 12));
        if (found->state != "approved" || remaining < found->captured || remaining == 0 ||
            remaining >= found->amount.minor) {
            return str(kInvalidAmount);
        }
        FLORIN_TRY_VOID(database_.run(
            "UPDATE authorisations SET minor = ? WHERE id = ?", {remaining, found->id}
        ));
        return str(kApproved);
    }
    FLORIN_TRY_VOID(database_.run(
        "INSERT INTO reversals VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
        {original->stan,
         original->transmission_time,
         str(request.trimmed(41)),
         std::int64_t{found ? 1 : 0}}
    ));
    // One that was refused because its reversal came first was never there to be found.
    if (!found || found->state == "refused") {
        return str(kNotFound);
    }
    FLORIN_TRY_VOID(database_.run(
        "UPDATE authorisations SET state = 'reversed' WHERE id = ? AND state = 'approved'",
        {found->id}
    ));
    return str(kApproved);
}

Result<void> Book::charge_back(std::string const& rrn, std::int64_t minor) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT e.authorisation, e.currency, e.stan, e.time, e.terminal, "
            "a.captured - a.refunded FROM entries e JOIN authorisations a ON a.id = "
            "e.authorisation WHERE e.type = 'capture' AND e.rrn = ? ORDER BY e.id DESC LIMIT 1",
            {rrn}
        )
    );
    if (rows.empty()) {
        return fail(Errc::not_found, "no capture has the RRN " + rrn);
    }
    auto const& row = rows[0];
    if (minor <= 0 || minor > number(row[5])) {
        return fail(Errc::out_of_range, "a chargeback is of 1 to what was captured and kept");
    }
    Message original;
    original.set(11, text(row[2]));
    original.set(7, text(row[3]));
    original.set(37, rrn);
    original.set(41, text(row[4]));
    FLORIN_TRY_VOID(begin());
    auto const booked = [&]() -> Result<void> {
        FLORIN_TRY_VOID(database_.run(
            "UPDATE authorisations SET refunded = refunded + ? WHERE id = ?",
            {minor, number(row[0])}
        ));
        FLORIN_TRY_VOID(
            book_entry("chargeback", Money{minor, currency_of(row[1])}, 0, number(row[0]), original)
        );
        return commit();
    }();
    if (!booked) {
        roll_back();
    }
    return booked;
}

Result<void> Book::charge_fee(Money amount) {
    if (amount.minor <= 0) {
        return fail(Errc::out_of_range, "a fee is above zero");
    }
    FLORIN_TRY_VOID(database_.run(
        "INSERT INTO entries(type, minor, fee, currency, stan, time, rrn, authorization_code, pan, "
        "terminal, date, authorisation) VALUES('fee', ?, 0, ?, '', '', '', '', '', '', ?, 0)",
        {amount.minor, std::int64_t{amount.currency.numeric()}, business_date()}
    ));
    return {};
}

}  // namespace florin::banksim

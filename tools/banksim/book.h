// The simulated bank's own book: authorisations, captures, refunds, reversals, and what it
// answered.
//
// It shares no posting code with the daemon: that both agree means something. Every message is
// known by (MTI class, STAN, field 7, field 37); a repeat or duplicate gets the answer of the first
// one and books nothing. Nothing may be answered before commit() has returned.
// Only masked card numbers are kept.
// Thread rule: one thread.
#pragma once

#include "connectors/iso8583/codec.h"
#include "ledger/base/clock.h"
#include "ledger/base/money.h"
#include "ledger/base/result.h"
#include "tools/banksim/database.h"
#include "tools/banksim/payment_file.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::banksim {

using connectors::iso8583::Message;

// What a fault rule makes the bank say instead of its own decision.
struct Forced {
    std::string decline;                        // field 39; empty: no
    std::string refusal;                        // the same, and nothing is booked; empty: no
    std::optional<std::int64_t> partial_minor;  // approve this much with 10
    bool forgets_reversal = false;              // approve what was reversed before it came
    std::int64_t off_minor = 0;                 // of totals: so much more than was debited
};

// What came with an authorisation in private fields. The cryptogram is masked.
struct Presented {
    std::string rrn;
    std::string electronic_commerce_indicator, cryptogram, three_d_secure_version,
        three_d_secure_transaction;
    std::string credential_use, original_network_transaction;
    std::string condition;  // field 25
};

// A line of the acquirer's report.
struct Entry {
    std::string type;  // "capture", "refund", "chargeback", "fee"
    Money amount;
    Money fee;  // withheld from a capture; zero elsewhere
    std::string stan;
    std::string rrn;
    std::string authorization_code;
    std::string masked_pan;
    std::string transmission_time;
    std::string business_date;  // YYYY-MM-DD, UTC
    std::string terminal;
};

// What the merchant side gets for one business date and currency. May be negative.
struct Payout {
    std::string reference;  // <acquirer>-<business date>-<currency>
    std::string business_date;
    Money net;  // captures - refunds - chargebacks - fees
};

// A transfer that the bank executed, or one that came back.
struct Movement {
    Order order;
    std::string message_id;
    std::string bank_reference;  // unique in this book
    bool is_return = false;
};

struct BookOptions {
    std::string acquirer = "banksim";  // letters, digits and hyphens
    unsigned fee_basis_points = 50;    // of each capture, half-even
    // False, for benchmarks: what was answered survives kill -9, but not a crash of the machine.
    // Counts each time the book is opened.
    bool is_synced = true;
};

class Book {
public:
    // Makes `data_dir` where it is missing. Errc::malformed for another acquirer than 1 to 20
    // letters, digits and hyphens (its payout references are 35 characters at most). The options
    // count when the book is new; an existing book keeps its own.
    static Result<Book> open(
        std::string const& data_dir, BookOptions const& options, Clock const& clock
    );

    // One group of messages, made durable together.
    Result<void> begin();
    Result<void> commit();
    // Forgets the group, after an error in it.
    void roll_back();

    // Decides one message of ISO 8583:1987 and records it. An answer for every request, 0800 and
    // those for totals included; an error is the book's own failure.
    Result<Message> answer(
        Message const& request, Forced const& forced, Presented const& presented = {}
    );
    // The newest first; repeats are not counted.
    Result<std::vector<Presented>> presented(std::size_t limit);

    // Errc::not_found where no capture has this RRN, Errc::out_of_range above what it has left.
    Result<void> charge_back(std::string const& rrn, std::int64_t minor);
    // A fee of the acquirer that belongs to no transaction.
    Result<void> charge_fee(Money amount);

    std::string const& acquirer() const { return acquirer_; }
    std::string business_date() const;      // today
    std::string transmission_time() const;  // now, MMDDhhmmss
    Result<std::vector<Entry>> entries(std::string const& date);
    // In the order of currencies. With `before`: the sums of all earlier dates instead, one per
    // currency, with an empty reference.
    Result<std::vector<Payout>> payouts(std::string const& date, bool before = false);

    // Executes a payment file today, each transfer once. false: this file was executed before, and
    // nothing was booked. Errc::conflict: another file had this message id.
    Result<bool> collect(PaymentFile const& file);
    // Gives a transfer back today: the latest of that end-to-end id. false: it was given back
    // before. Errc::not_found.
    Result<bool> give_back(std::string const& end_to_end_id);
    // The transfers executed on that date, then those given back on it.
    Result<std::vector<Movement>> movements(std::string const& date);
    // What all movements before the date changed, one for each currency.
    Result<std::vector<Money>> moved_before(std::string const& date);

    struct Counts {
        std::int64_t authorisations = 0;  // approved and not reversed
        std::int64_t captures = 0;
        std::int64_t refunds = 0;
        std::int64_t reversals = 0;  // found or not
        std::int64_t refused_after_reversal = 0;
        std::int64_t transfers = 0;
        std::int64_t returns = 0;
        std::int64_t authorisation_messages = 0;  // duplicates and repeats too
    };
    Result<Counts> counts();

    // Approved and not reversed.
    struct Held {
        Money amount;
        std::string rrn;
        std::string transmission_time;
        std::int64_t captured = 0;  // minor units
        std::int64_t refunded = 0;
    };
    Result<std::vector<Held>> held();

    // Totals that were asked for, the oldest first.
    struct Compared {
        std::string mti;  // of the first message: "0500", "0520"
        std::string stan;
        std::string rrn;
        std::string date;  // field 15
        Currency currency;
        bool is_in_balance = false;
        std::int64_t repeats = 0;
    };
    Result<std::vector<Compared>> compared();

private:
    Book(Database database, Clock const& clock) : database_{std::move(database)}, clock_{clock} {}

    struct Authorisation;

    Result<std::string> decide(
        Message const& request, Forced const& forced, Presented const& presented, Message& answer
    );
    Result<std::string> authorise(Message const& request, Forced const& forced, Message& answer);
    Result<std::string> capture(Message const& request, Message& answer);
    Result<std::string> refund(Message const& request, Message& answer);
    Result<std::string> reverse(Message const& request);
    // totals.cc
    Result<Message> answer_totals(Message const& request, Forced const& forced);
    // The compared fields of a date (MMDD), with blanks between them.
    Result<std::string> totals_of(std::string_view date, Currency currency, std::int64_t off);
    Result<std::optional<Authorisation>> find_authorisation(Message const& request);
    Result<void> book_entry(
        std::string_view type,
        Money amount,
        std::int64_t fee,
        std::int64_t authorisation,
        Message const& request
    );

    Database database_;
    Clock const& clock_;
    std::string acquirer_;
    std::int64_t fee_basis_points_ = 0;
};

}  // namespace florin::banksim

#include "tools/florin/export_books.h"

#include "ledger/base/calendar.h"
#include "ledger/json/flags.h"
#include "tools/florin/export_names.h"

#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace florin::tools {
namespace {

constexpr std::uint64_t kDayNs = 86'400 * ledger::kNanosecondsPerSecond;

// An account's three parts.
constexpr std::string_view kPosted = ":Posted";
constexpr std::string_view kPendingDebits = ":Pending:Debits";
constexpr std::string_view kPendingCredits = ":Pending:Credits";
constexpr std::string_view kParts[] = {kPosted, kPendingDebits, kPendingCredits};

using Tags = std::vector<std::pair<std::string_view, std::string>>;

std::string names_of(std::uint16_t flags, ledger::FlagNames names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if ((flags & (1U << i)) != 0) {
            text += (text.empty() ? "" : " ") + std::string{names[i]};
        }
    }
    return text;
}

// What both kinds of objects carry for the caller's use.
template <class Object>
void add_user_data(Tags& tags, Object const& object) {
    if (object.user_data_128 != 0) {
        tags.emplace_back("user_data_128", to_string(object.user_data_128));
    }
    if (object.user_data_64 != 0) {
        tags.emplace_back("user_data_64", std::to_string(object.user_data_64));
    }
    if (object.user_data_32 != 0) {
        tags.emplace_back("user_data_32", std::to_string(object.user_data_32));
    }
}

Tags place_tags(ItemPlace place, std::uint64_t timestamp) {
    return {
        {"sequence", std::to_string(place.sequence)},
        {"index", std::to_string(place.index)},
        {"timestamp", std::to_string(timestamp)},
    };
}

struct Posting {
    std::string const& account;
    std::string_view part;
    bool is_credit;
    u128 amount;
};

struct Entry {
    std::uint64_t timestamp = 0;
    std::string_view what;  // "transfer", "pending", "post", "void", "expiry"
    u128 id = 0;            // the transfer's; the pending one's for an expiry
    Tags tags;
};

// How one program writes it.
class Dialect {
public:
    Dialect() = default;
    Dialect(Dialect const&) = delete;
    Dialect& operator=(Dialect const&) = delete;
    virtual ~Dialect() = default;
    virtual void heading(std::string& out) const = 0;
    virtual void commodity(std::string& out, std::string const& date, Commodity const& it)
        const = 0;
    virtual void account(
        std::string& out,
        std::string const& date,
        std::string const& name,
        Commodity const& commodity,
        Tags const& tags
    ) const = 0;
    virtual void entry(
        std::string& out,
        Entry const& entry,
        Commodity const& commodity,
        std::span<Posting const> postings
    ) const = 0;
    // What the three parts of an account come to at the end of the last day.
    virtual void balances(
        std::string& out,
        std::uint64_t last_ns,
        std::string const& name,
        Commodity const& commodity,
        std::array<std::string, 3> const& amounts
    ) const = 0;
};

void append_posting(std::string& out, Posting const& posting, unsigned digits) {
    out += posting.account;
    out += posting.part;
    out += posting.is_credit && posting.amount != 0 ? "  -" : "  ";
    out += amount_text(posting.amount, digits);
    out += ' ';
}

class Hledger final : public Dialect {
public:
    void heading(std::string&) const override {}
    void commodity(std::string& out, std::string const&, Commodity const& it) const override {
        // The one form that both programs take as a declaration. Without decimals hledger wants
        // a decimal point in the format and ledger wants none; both do well without it.
        std::string const name = quoted(it);
        out += "\ncommodity " + name + "\n";
        if (it.digits > 0) {
            out += "    format 1000." + std::string(it.digits, '0') + " " + name + "\n";
        }
    }
    void account(
        std::string& out,
        std::string const&,
        std::string const& name,
        Commodity const&,
        Tags const& tags
    ) const override {
        out += "\naccount " + name + "\n";
        add_tags(out, tags);
        for (std::string_view const part : kParts) {
            out += "account " + name + std::string{part} + "\n";
        }
    }
    void entry(
        std::string& out,
        Entry const& entry,
        Commodity const& commodity,
        std::span<Posting const> postings
    ) const override {
        out += "\n" + utc_date(seconds_of(entry.timestamp)) + " * (" + to_string(entry.id) + ") ";
        out += entry.what;
        out += '\n';
        add_tags(out, entry.tags);
        for (Posting const& posting : postings) {
            out += "    ";
            append_posting(out, posting, commodity.digits);
            out += quoted(commodity) + "\n";
        }
    }
    void balances(
        std::string& out,
        std::uint64_t last_ns,
        std::string const& name,
        Commodity const& commodity,
        std::array<std::string, 3> const& amounts
    ) const override {
        std::string const unit = " " + quoted(commodity);
        out += "\n" + utc_date(seconds_of(last_ns)) + " * balances\n";
        for (std::size_t i = 0; i < amounts.size(); ++i) {
            out += "    " + name + std::string{kParts[i]} + "  0" + unit + " = " + amounts[i] +
                   unit + "\n";
        }
    }

private:
    static void add_tags(std::string& out, Tags const& tags) {
        out += "    ; ";
        bool is_first = true;
        for (auto const& [name, value] : tags) {
            out += is_first ? "" : ", ";
            out += name;
            out += ':' + value;
            is_first = false;
        }
        out += '\n';
    }
};

class Beancount final : public Dialect {
public:
    void heading(std::string& out) const override {
        // The default would let half a minor unit pass.
        out += "option \"inferred_tolerance_multiplier\" \"0\"\n";
    }
    void commodity(std::string& out, std::string const& date, Commodity const& it) const override {
        out += "\n" + date + " commodity " + it.name + "\n";
    }
    void account(
        std::string& out,
        std::string const& date,
        std::string const& name,
        Commodity const& commodity,
        Tags const& tags
    ) const override {
        out += '\n';
        for (std::string_view const part : kParts) {
            out += date + " open " + name + std::string{part} + " " + commodity.name + "\n";
            if (part == kPosted) {
                add_metadata(out, tags);
            }
        }
    }
    void entry(
        std::string& out,
        Entry const& entry,
        Commodity const& commodity,
        std::span<Posting const> postings
    ) const override {
        out += "\n" + utc_date(seconds_of(entry.timestamp)) + " * \"";
        out += entry.what;
        out += "\"\n  id: \"" + to_string(entry.id) + "\"\n";
        add_metadata(out, entry.tags);
        for (Posting const& posting : postings) {
            out += "  ";
            append_posting(out, posting, commodity.digits);
            out += commodity.name + "\n";
        }
    }
    void balances(
        std::string& out,
        std::uint64_t last_ns,
        std::string const& name,
        Commodity const& commodity,
        std::array<std::string, 3> const& amounts
    ) const override {
        // beancount compares at the start of a day.
        std::string const date = utc_date(seconds_of(last_ns + kDayNs));
        for (std::size_t i = 0; i < amounts.size(); ++i) {
            out += date + " balance " + name + std::string{kParts[i]} + "  " + amounts[i] + " " +
                   commodity.name + "\n";
        }
    }

private:
    static void add_metadata(std::string& out, Tags const& tags) {
        for (auto const& [name, value] : tags) {
            out += "  ";
            out += name;
            out += ": \"" + value + "\"\n";
        }
    }
};

class BooksWriter final : public ExportWriter {
public:
    BooksWriter(
        BooksFormat format,
        ByteOutput& output,
        std::array<unsigned char, 16> const& ledger_id,
        ledger::LedgerKind kind
    )
        : output_{output}, kind_{kind}, is_beancount_{format == BooksFormat::beancount} {
        if (is_beancount_) {
            dialect_ = std::make_unique<Beancount>();
        } else {
            dialect_ = std::make_unique<Hledger>();
        }
        std::string& out = output_.buffer();
        out += "; Florin ledger " + to_hex(view(ledger_id)) + ". Whole only with its last line.\n";
        dialect_->heading(out);
    }

    Result<void> account(ItemPlace place, ledger::Account const& account) override {
        Commodity const commodity = commodity_of(kind_, account.ledger);
        std::string const date = utc_date(seconds_of(account.timestamp));
        std::string& out = output_.buffer();
        auto const [turnover, is_new] = turnovers_.try_emplace(account.ledger, 0);
        if (is_new) {
            dialect_->commodity(out, date, commodity);
        }
        Tags tags = place_tags(place, account.timestamp);
        tags.emplace_back("ledger", std::to_string(account.ledger));
        tags.emplace_back("code", std::to_string(account.code));
        if (account.flags != 0) {
            tags.emplace_back("flags", names_of(account.flags, ledger::kAccountFlags));
        }
        add_user_data(tags, account);
        std::string name = account_name(kind_, account);
        dialect_->account(out, date, name, commodity, tags);
        order_.push_back(account.id);
        accounts_.emplace(account.id, Book{std::move(name), account});
        return output_.write_full();
    }

    Result<void> transfer(
        ItemPlace place, ledger::Transfer const& transfer, ledger::PendingResolved const* resolved
    ) override {
        FLORIN_TRY(Book* const debit, book(transfer.debit_account_id, place));
        FLORIN_TRY(Book* const credit, book(transfer.credit_account_id, place));
        Entry entry{
            .timestamp = transfer.timestamp,
            .what = "transfer",
            .id = transfer.id,
            .tags = place_tags(place, transfer.timestamp),
        };
        entry.tags.emplace_back("code", std::to_string(transfer.code));
        if (transfer.flags != 0) {
            entry.tags.emplace_back("flags", names_of(transfer.flags, ledger::kTransferFlags));
        }
        if (transfer.pending_id != 0) {
            entry.tags.emplace_back("pending_id", to_string(transfer.pending_id));
        }
        if (transfer.timeout != 0) {
            entry.tags.emplace_back("timeout", std::to_string(transfer.timeout));
        }
        add_user_data(entry.tags, transfer);
        std::vector<Posting> postings;
        if (transfer.has(ledger::transfer_pending)) {
            entry.what = "pending";
            reserve(*debit, *credit, transfer.amount, postings);
        } else if (resolved == nullptr) {
            post(*debit, *credit, transfer.amount, postings);
        } else {
            entry.what = resolved->state == ledger::PendingState::posted ? "post" : "void";
            release(*debit, *credit, resolved->pending_amount, postings);
            if (resolved->state == ledger::PendingState::posted) {
                post(*debit, *credit, transfer.amount, postings);
            }
        }
        return write(entry, debit->account.ledger, postings);
    }

    Result<void> expiry(ItemPlace place, ledger::PendingExpired const& expired) override {
        FLORIN_TRY(Book* const debit, book(expired.debit_account_id, place));
        FLORIN_TRY(Book* const credit, book(expired.credit_account_id, place));
        Entry entry{
            .timestamp = expired.timestamp,
            .what = "expiry",
            .id = expired.pending_id,
            .tags = place_tags(place, expired.timestamp),
        };
        if (expired.pending_flags != 0) {
            entry.tags.emplace_back(
                "flags", names_of(expired.pending_flags, ledger::kTransferFlags)
            );
        }
        std::vector<Posting> postings;
        release(*debit, *credit, expired.amount, postings);
        return write(entry, debit->account.ledger, postings);
    }

    Result<void> end(ExportEnd const& end) override {
        std::string& out = output_.buffer();
        out += "\n; What every account comes to.\n";
        for (u128 const id : order_) {
            Book const& book = accounts_.at(id);
            Commodity const commodity = commodity_of(kind_, book.account.ledger);
            auto const& account = book.account;
            dialect_->balances(
                out,
                last_ns_,
                book.name,
                commodity,
                {balance_text(account.debits_posted, account.credits_posted, commodity.digits),
                 balance_text(account.debits_pending, 0, commodity.digits),
                 balance_text(0, account.credits_pending, commodity.digits)}
            );
            FLORIN_TRY_VOID(output_.write_full());
        }
        out += "\n; End: record " + std::to_string(end.last.sequence) + ", hash " +
               crypto::hex(end.last.hash) + ", " + std::to_string(end.accounts) + " accounts, " +
               std::to_string(end.transfers) + " transfers, " + std::to_string(end.expiries) +
               " expiries.\n";
        return {};
    }

private:
    struct Book {
        std::string name;
        ledger::Account account;  // with its balances
    };

    Result<Book*> book(u128 id, ItemPlace place) {
        auto const found = accounts_.find(id);
        if (found == accounts_.end()) {
            return fail(
                Errc::corrupt,
                "record " + std::to_string(place.sequence) + ": account " + to_string(id) +
                    " was never created"
            );
        }
        return &found->second;
    }

    static void post(Book& debit, Book& credit, u128 amount, std::vector<Posting>& postings) {
        debit.account.debits_posted += amount;
        credit.account.credits_posted += amount;
        postings.push_back({debit.name, kPosted, false, amount});
        postings.push_back({credit.name, kPosted, true, amount});
    }
    static void reserve(Book& debit, Book& credit, u128 amount, std::vector<Posting>& postings) {
        debit.account.debits_pending += amount;
        credit.account.credits_pending += amount;
        postings.push_back({debit.name, kPendingDebits, false, amount});
        postings.push_back({credit.name, kPendingCredits, true, amount});
    }
    static void release(Book& debit, Book& credit, u128 amount, std::vector<Posting>& postings) {
        debit.account.debits_pending -= amount;
        credit.account.credits_pending -= amount;
        postings.push_back({debit.name, kPendingDebits, true, amount});
        postings.push_back({credit.name, kPendingCredits, false, amount});
    }

    Result<void> write(
        Entry const& entry, std::uint32_t ledger, std::span<Posting const> postings
    ) {
        Commodity const commodity = commodity_of(kind_, ledger);
        for (Posting const& posting : postings) {
            if (!posting.is_credit) {
                FLORIN_TRY_VOID(add_turnover(ledger, posting.amount, commodity));
            }
        }
        last_ns_ = std::max(last_ns_, entry.timestamp);
        dialect_->entry(output_.buffer(), entry, commodity, postings);
        return output_.write_full();
    }

    // beancount adds with 28 significant digits and rounds silently beyond. No balance and no sum
    // within a transaction is larger than all debits of its ledger together.
    Result<void> add_turnover(std::uint32_t ledger, u128 amount, Commodity const& commodity) {
        constexpr u128 kBeancountMax = u128{10'000'000'000'000'000'000ULL} * 1'000'000'000;
        if (!is_beancount_) {
            return {};
        }
        u128& turnover = turnovers_[ledger];
        if (amount >= kBeancountMax || turnover + amount >= kBeancountMax) {
            return fail(
                Errc::out_of_range,
                "the amounts of " + commodity.name + " (ledger " + std::to_string(ledger) +
                    ") come to more than the 28 digits that beancount adds exactly; export to "
                    "hledger or jsonl"
            );
        }
        turnover += amount;
        return {};
    }

    ByteOutput& output_;
    ledger::LedgerKind kind_;
    bool is_beancount_;
    std::unique_ptr<Dialect> dialect_;
    std::unordered_map<u128, Book, U128Hash> accounts_;
    std::vector<u128> order_;  // as they were created
    std::unordered_map<std::uint32_t, u128> turnovers_;
    std::uint64_t last_ns_ = 0;
};

}  // namespace

std::unique_ptr<ExportWriter> make_books_writer(
    BooksFormat format,
    ByteOutput& output,
    std::array<unsigned char, 16> const& ledger_id,
    ledger::LedgerKind kind
) {
    return std::make_unique<BooksWriter>(format, output, ledger_id, kind);
}

}  // namespace florin::tools

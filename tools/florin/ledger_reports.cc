#include "crypto/base64.h"
#include "ledger/base/calendar.h"
#include "ledger/base/currency.h"
#include "ledger/base/money.h"
#include "ledger/reader.h"
#include "ledger/store/snapshot.h"
#include "ledger/verify.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/time_argument.h"
#include "tools/florin/vault_check.h"

#include <fmt/format.h>

#include <map>
#include <optional>

namespace florin::tools {
namespace {

// Net balances may have either sign; u128 sums are printed with one.
std::string signed_text(u128 credits, u128 debits) {
    return credits >= debits ? to_string(credits - debits) : "-" + to_string(debits - credits);
}

// A payment switch's ledgers are numbered by ISO 4217 currency, from 100000 on for test money.
std::string currency_of(std::uint32_t ledger) {
    constexpr std::uint32_t kTest = 100'000;
    auto const currency = Currency::from_numeric(static_cast<std::uint16_t>(ledger % kTest));
    std::string const name{currency ? currency->alphabetic() : ""};
    return name.empty() || ledger < kTest ? name : name + " test";
}

Result<std::unique_ptr<ledger::LedgerReader>> open(std::filesystem::path const& data_dir) {
    return ledger::LedgerReader::open(data_dir);
}

// Now, or as of a moment.
Result<void> each_account(
    ledger::LedgerReader& reader,
    std::string const& at,
    std::function<Result<bool>(ledger::Account const& account)> const& visit
) {
    if (at.empty()) {
        return reader.accounts(visit);
    }
    FLORIN_TRY(std::uint64_t const moment, parse_moment(at, DayEnd::last));
    return reader.queries().accounts_at(moment, visit);
}

int verify_failed(Error const& error) {
    bool const could_not_run = error.code == Errc::not_found || error.code == Errc::unsupported ||
                               error.code == Errc::already_held;
    if (could_not_run) {
        return report_error(error);
    }
    fmt::print(stderr, "florin: verify FAILED: {}\n", error.context);
    return kFoundSomething;
}

void add_rows(Table& table, PinnedHeadReport const& report) {
    table.add({"pinned_head", std::to_string(report.pinned.head.position.sequence)});
    table.add({"pinned_time", utc_moment(report.pinned.head.time)});
    table.add({"signed_by", crypto::base64(report.pinned.public_key.der())});
}

// What a pinned head says by itself: quick, whatever the length of the journal.
int print_pinned_head(PinnedHeadReport const& report, Format format) {
    Table table{{"what", "value"}};
    table.add({"ledger", to_hex(view(report.check.ledger_id))});
    table.add({"head", std::to_string(report.check.head.sequence)});
    table.add({"hash", crypto::hex(report.check.head.hash)});
    add_rows(table, report);
    table.add({"verdict", "the pinned head is in this history"});
    table.print(format);
    return kDone;
}

}  // namespace

int ledger_verify(
    std::filesystem::path const& data_dir, VerifyOptions const& options, Format format
) {
    auto const readable = ledger::ReadableDirectory::of(data_dir);
    if (!readable) {
        return verify_failed(readable.error());
    }
    if (readable->is_picture()) {
        fmt::print(
            stderr,
            "process {} writes this directory: what it had made durable by now is verified\n",
            readable->writer()
        );
    }
    std::optional<PinnedHeadReport> pinned;
    if (!options.pinned.head.empty()) {
        auto checked = check_pinned_head_files(readable->path(), options.pinned);
        if (!checked) {
            // What is not right is Errc::corrupt; files that cannot be used say nothing of the
            // ledger.
            return checked.error().code == Errc::corrupt ? verify_failed(checked.error())
                                                         : report_error(checked.error());
        }
        if (options.only_head) {
            return print_pinned_head(*checked, format);
        }
        pinned = *checked;
    }
    ProgressBar bar{"verify"};
    auto const report = ledger::verify_ledger(
        {.data_dir = readable->path(), .scratch = {}},
        [&](ledger::VerifyProgress const& at) { bar.show(at.step, at.done, at.total); }
    );
    if (!report) {
        return verify_failed(report.error());
    }
    bar.show("vault", 0, 1);
    auto const vault = check_vault(
        {.data_dir = data_dir, .ledger = readable->path(), .is_live = readable->is_picture()}
    );
    if (!vault) {
        return verify_failed(vault.error());
    }
    Table table{{"what", "value"}};
    table.add({"ledger", to_hex(view(report->ledger_id))});
    table.add({"head", std::to_string(report->head.sequence)});
    table.add({"hash", crypto::hex(report->head.hash)});
    table.add({"records", std::to_string(report->records)});
    table.add({"transfers", std::to_string(report->transfers)});
    table.add({"accounts", std::to_string(report->accounts)});
    table.add({"documents", std::to_string(report->documents)});
    table.add({"payloads", std::to_string(report->payloads)});
    table.add({"payloads_forgotten", std::to_string(report->payloads_forgotten)});
    table.add({"view_entries_compared", std::to_string(report->view_entries)});
    table.add({"cards", std::to_string(vault->cards)});
    table.add({"payment_methods_with_card", std::to_string(vault->methods)});
    if (pinned) {
        add_rows(table, *pinned);
    }
    table.add({"verdict", "everything agrees"});
    table.print(format);
    return kDone;
}

int ledger_balances(std::filesystem::path const& data_dir, std::string const& at, Format format) {
    auto reader = open(data_dir);
    if (!reader) {
        return report_error(reader.error());
    }
    Table table{
        {"account",
         "ledger",
         "code",
         ">debits_pending",
         ">debits_posted",
         ">credits_pending",
         ">credits_posted",
         ">balance"}
    };
    auto const add = [&](ledger::Account const& account) -> Result<bool> {
        table.add(
            {to_string(account.id),
             std::to_string(account.ledger),
             std::to_string(account.code),
             to_string(account.debits_pending),
             to_string(account.debits_posted),
             to_string(account.credits_pending),
             to_string(account.credits_posted),
             signed_text(account.credits_posted, account.debits_posted)}
        );
        return true;
    };
    if (auto const done = each_account(**reader, at, add); !done) {
        return report_error(done.error());
    }
    table.print(format);
    return kDone;
}

int ledger_trial_balance(
    std::filesystem::path const& data_dir, std::string const& at, Format format
) {
    auto reader = open(data_dir);
    if (!reader) {
        return report_error(reader.error());
    }
    struct Sums {
        std::uint64_t accounts = 0;
        u128 debits_pending = 0;
        u128 debits_posted = 0;
        u128 credits_pending = 0;
        u128 credits_posted = 0;
    };
    std::map<std::uint32_t, Sums> ledgers;
    auto const add = [&](ledger::Account const& account) -> Result<bool> {
        Sums& sums = ledgers[account.ledger];
        ++sums.accounts;
        sums.debits_pending += account.debits_pending;
        sums.debits_posted += account.debits_posted;
        sums.credits_pending += account.credits_pending;
        sums.credits_posted += account.credits_posted;
        return true;
    };
    if (auto const done = each_account(**reader, at, add); !done) {
        return report_error(done.error());
    }
    bool const has_currencies = (*reader)->kind() == ledger::LedgerKind::full;
    Table table{
        {"ledger",
         "currency",
         ">accounts",
         ">debits_posted",
         ">credits_posted",
         ">debits_pending",
         ">credits_pending",
         "balanced"}
    };
    bool all_balanced = true;
    for (auto const& [ledger, sums] : ledgers) {
        bool const balanced = sums.debits_posted == sums.credits_posted &&
                              sums.debits_pending == sums.credits_pending;
        all_balanced = all_balanced && balanced;
        table.add(
            {std::to_string(ledger),
             has_currencies ? currency_of(ledger) : "",
             std::to_string(sums.accounts),
             to_string(sums.debits_posted),
             to_string(sums.credits_posted),
             to_string(sums.debits_pending),
             to_string(sums.credits_pending),
             balanced ? "yes" : "NO"}
        );
    }
    table.print(format);
    return all_balanced ? kDone : kFoundSomething;
}

}  // namespace florin::tools

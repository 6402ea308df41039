// Banks' lines against what acquirers said they pay, and against our own payouts.
#include "daemon/flow/balance.h"
#include "daemon/model/chart.h"
#include "daemon/recon/reconciliation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace florin::recon {
namespace {

namespace asio = boost::asio;
using flow::Change;
using flow::Stored;
using model::Kind;
using model::Payout;
using model::PayoutReference;

constexpr std::int64_t kStatementWindowDays = 5;
// Sums of payout references are tried over as many as this; more would be a coincidence anyway.
constexpr std::size_t kSumMax = 12;

bool is_near(std::string const& a, std::string const& b) {
    auto const first = day_number(a);
    auto const second = day_number(b);
    return first && second && std::abs(*first - *second) <= kStatementWindowDays;
}

// The only set of at least two references whose nets add up to `amount`; empty where there is none
// or where there are several.
std::vector<Stored<PayoutReference>*> only_sum(
    std::vector<Stored<PayoutReference>*> const& references, std::int64_t amount
) {
    if (references.size() > kSumMax) {
        return {};
    }
    std::uint32_t found = 0;
    for (std::uint32_t set = 1; set < (1U << references.size()); ++set) {
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < references.size(); ++i) {
            sum += (set >> i & 1U) != 0 ? references[i]->value.net : 0;
        }
        if (sum == amount && std::popcount(set) > 1) {
            if (found != 0) {
                return {};
            }
            found = set;
        }
    }
    std::vector<Stored<PayoutReference>*> chosen;
    for (std::size_t i = 0; i < references.size(); ++i) {
        if ((found >> i & 1U) != 0) {
            chosen.push_back(references[i]);
        }
    }
    return chosen;
}

}  // namespace

Result<std::vector<Stored<PayoutReference>>> Reconciliation::open_references() const {
    std::vector<Stored<PayoutReference>> found;
    auto const add = [&](std::string const&, auto reference) -> Result<bool> {
        if (reference.value.bank_line.empty() && reference.value.net != 0) {
            found.push_back(std::move(reference));
        }
        return true;
    };
    for (Acquirer const& acquirer : parts_.acquirers) {
        FLORIN_TRY_VOID(flow::each_of<PayoutReference>(
            parts_.ledger.documents(),
            model::connector_owner(acquirer.connector, parts_.mode),
            {},
            add
        ));
    }
    return found;
}

Result<std::vector<Stored<Payout>>> Reconciliation::open_payouts() const {
    std::vector<Stored<Payout>> found;
    auto const add = [&](ledger::Document const& document) -> Result<bool> {
        if (model::mode_of(document.key.owner) == parts_.mode) {
            FLORIN_TRY(auto payout, model::from_text<Payout>(document.body.value_or("")));
            if (payout.state != "returned") {
                found.push_back({std::move(payout), document.version});
            }
        }
        return true;
    };
    FLORIN_TRY_VOID(parts_.ledger.documents().each(static_cast<std::uint16_t>(Kind::payout), add));
    return found;
}

asio::awaitable<Result<void>> Reconciliation::run_bank(
    BankAccount account, RunReport& report, Found& found
) {
    FLORIN_CO_TRY(
        auto lines, unmatched_lines(model::statement_owner("bank", account.iban, parts_.mode))
    );
    FLORIN_CO_TRY(auto references, open_references());
    FLORIN_CO_TRY(auto payouts, open_payouts());
    report.bank.lines += static_cast<std::int64_t>(lines.size());

    // By reference. Several lines of one reference count together where together they are the net.
    std::map<std::string, std::vector<Line*>> by_name;
    std::vector<Line*> left;
    for (Line& line : lines) {
        auto const payout = std::ranges::find_if(payouts, [&](Stored<Payout> const& each) {
            return model::end_to_end_id(each.value.id) == line.value().reference;
        });
        if (payout != payouts.end()) {
            FLORIN_CO_TRY(
                bool const matched, co_await match_payout(account, line, *payout, "reference")
            );
            if (matched) {
                count(report.bank, "reference", 1);
            } else {
                note_break(
                    found,
                    "net_mismatch",
                    line,
                    fmt::format(
                        "payout {} is for {} {} and is {}; the bank shows {} (minor units)",
                        payout->value.id,
                        payout->value.amount,
                        payout->value.currency,
                        payout->value.state,
                        line.value().amount
                    )
                );
            }
            continue;
        }
        by_name[line.value().reference + "|" + line.value().currency].push_back(&line);
    }
    for (auto const& [name, group] : by_name) {
        auto const& first = group.front()->value();
        auto const reference = std::ranges::find_if(references, [&](auto const& each) {
            return each.value.reference == first.reference && each.value.bank_line.empty() &&
                   each.value.currency == first.currency;
        });
        if (reference == references.end()) {
            left.insert(left.end(), group.begin(), group.end());
            continue;
        }
        std::int64_t sum = 0;
        for (Line const* const line : group) {
            sum += line->value().amount;
        }
        if (sum != reference->value.net) {
            for (Line const* const line : group) {
                note_break(
                    found,
                    "net_mismatch",
                    *line,
                    fmt::format(
                        "the acquirer reported {} under {}, the bank shows {} (minor units)",
                        reference->value.net,
                        first.reference,
                        sum
                    )
                );
            }
            continue;
        }
        std::string const by = group.size() == 1 ? "reference" : "net_sum";
        std::vector<Stored<PayoutReference>*> one{&*reference};
        FLORIN_CO_TRY(bool const matched, co_await match_net(account, group, std::move(one), by));
        static_cast<void>(matched);
        count(report.bank, by, group.size());
    }

    // By amount and date, then as the sum of several.
    for (Line* const line : left) {
        auto const& value = line->value();
        std::vector<Stored<PayoutReference>*> near;
        std::vector<Stored<PayoutReference>*> equal;
        for (auto& each : references) {
            if (each.value.bank_line.empty() && each.value.currency == value.currency &&
                is_near(each.value.business_date, value.booking_date)) {
                near.push_back(&each);
                if (each.value.net == value.amount) {
                    equal.push_back(&each);
                }
            }
        }
        std::vector<Stored<Payout>*> same;
        for (auto& each : payouts) {
            bool const agrees =
                value.counterparty_account.empty() || value.counterparty_account == each.value.iban;
            if (each.value.state == "prepared" && each.value.currency == value.currency &&
                each.value.amount == -value.amount && agrees) {
                same.push_back(&each);
            }
        }
        std::string by;
        if (equal.size() + same.size() == 1 && !same.empty()) {
            FLORIN_CO_TRY(
                bool const matched, co_await match_payout(account, *line, *same[0], "amount_date")
            );
            by = matched ? "amount_date" : "";
        } else if (equal.size() + same.size() == 1) {
            by = "amount_date";
        } else if (auto sum = only_sum(near, value.amount); equal.empty() && !sum.empty()) {
            equal = std::move(sum);
            by = "net_sum";
        }
        if (by.empty()) {
            note_break(
                found,
                "bank_line_unknown",
                *line,
                "the bank shows an entry that no acquirer reported and that is no payout of ours"
            );
            continue;
        }
        if (same.empty() || by == "net_sum") {
            std::vector<Line*> one{line};
            FLORIN_CO_TRY(
                bool const matched, co_await match_net(account, std::move(one), equal, by)
            );
            static_cast<void>(matched);
        }
        count(report.bank, by, 1);
    }
    co_return Result<void>{};
}

// The bank shows what was reported: several lines for one reference, or one line for several.
asio::awaitable<Result<bool>> Reconciliation::match_net(
    BankAccount account,
    std::vector<Line*> lines,
    std::vector<Stored<PayoutReference>*> references,
    std::string_view by
) {
    std::string const subject = lines.front()->subject();
    Change change{platform()};
    std::string names;
    for (Stored<PayoutReference>* const reference : references) {
        PayoutReference& value = reference->value;
        model::Book const book{currency_of(value.currency), parts_.mode};
        auto accounts = model::report_accounts(book, value.connector, value.reference);
        accounts.push_back(model::account(model::Role::bank, account.name, book));
        change.command.ensure_accounts.insert(
            change.command.ensure_accounts.end(), accounts.begin(), accounts.end()
        );
        change.command.transfers.push_back(model::bank_net(
            book, subject, account.name, value.connector, value.reference, value.net
        ));
        value.bank_line = subject;
        value.closed = parts_.ids.now_s();
        change.put_for(
            model::connector_owner(value.connector, parts_.mode),
            value.reference,
            value,
            reference->version
        );
        names += (names.empty() ? "" : " ") + value.reference;
    }
    for (Line* const line : lines) {
        explain(change, *line, by, names);
    }
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), subject));
    co_return true;
}

// A debit pays it, a credit under the same reference brings it back. False: the amounts or the
// states do not fit.
asio::awaitable<Result<bool>> Reconciliation::match_payout(
    BankAccount account, Line& line, Stored<Payout>& payout, std::string_view by
) {
    Payout& value = payout.value;
    bool const pays = line.value().amount == -value.amount && value.state == "prepared";
    bool const returns = line.value().amount == value.amount && value.state == "paid";
    if (line.value().currency != value.currency || (!pays && !returns)) {
        co_return false;
    }
    model::Book const book{currency_of(value.currency), parts_.mode};
    Change change{model::owner_of(value.merchant, parts_.mode)};
    change.command.ensure_accounts = model::payout_accounts(book, value.merchant, account.name);
    if (pays) {
        change.command.transfers.push_back(
            model::payout_paid(book, value.id, value.merchant, account.name, value.amount)
        );
    } else {
        change.command.transfers =
            model::payout_returned(book, value.id, value.merchant, account.name, value.amount);
        model::BalanceTransaction row{
            .id = {},
            .type = "payout_failure",
            .source = value.id,
            .currency = value.currency,
            .description = {},
            .amount = value.amount,
        };
        flow::write_row(change, parts_.ids, row);
        flow::list_with_next_payout(change, parts_.ledger.documents(), row);
        value.failure_balance_transaction = row.id;
    }
    value.state = pays ? "paid" : "returned";
    value.closed = parts_.ids.now_s();
    value.statement_line = line.subject();
    change.put(value.id, payout);
    explain(change, line, by, value.id);
    FLORIN_CO_TRY_VOID(
        co_await parts_.ledger.commit(std::move(change.command), value.statement_line)
    );
    ++payout.version;
    co_return true;
}

}  // namespace florin::recon

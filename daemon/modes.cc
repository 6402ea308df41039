#include "daemon/modes.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <utility>

namespace florin {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using model::Mode;

std::vector<std::unique_ptr<totals::Comparison>> make_totals(
    Plan const& plan, ModeNeeds const& needs, Mode mode
) {
    std::vector<std::unique_ptr<totals::Comparison>> made;
    for (config::Connector const& wanted : plan.connectors) {
        if (wanted.mode != model::mode_name(mode) || wanted.totals == "none") {
            continue;
        }
        totals::Options options;
        options.is_advice = wanted.totals == "advice";
        options.delay_s = wanted.totals_delay_minutes * 60;
        options.retry_first_ms = static_cast<std::uint64_t>(plan.flow.retry_first_ms);
        options.retry_most_ms = static_cast<std::uint64_t>(plan.flow.retry_most_ms);
        for (auto const& [connector, priority] : needs.priorities.at(mode)) {
            if (connector->id().text() == wanted.name) {
                made.push_back(std::make_unique<totals::Comparison>(totals::Comparison::Parts{
                    .ledger = needs.ledger,
                    .ids = needs.ids,
                    .connector = *connector,
                    .mode = mode,
                    .options = options,
                }));
            }
        }
    }
    return made;
}

}  // namespace

Result<Modes> make_modes(Plan const& plan, ModeNeeds const& needs) {
    fs::path const outbox = plan.settlement.outbox.empty() ? plan.data_dir / "outbox"
                                                           : fs::path{plan.settlement.outbox};
    Modes modes;
    for (Mode const mode : {Mode::test, Mode::live}) {
        std::string const name{model::mode_name(mode)};
        std::vector<recon::Reconciliation::Acquirer> acquirers;
        bool is_used = false;
        for (config::Connector const& each : plan.connectors) {
            is_used = is_used || each.mode == name;
            if (each.mode == name && each.rail == "iso8583") {
                acquirers.push_back(
                    {.connector = each.name,
                     .name = each.acquirer.empty() ? each.name : each.acquirer}
                );
            }
        }
        if (!is_used) {
            continue;
        }
        std::vector<settlement::BankAccount> payers;
        std::vector<recon::Reconciliation::BankAccount> accounts;
        for (config::BankAccount const& each : plan.bank_accounts) {
            if (each.mode == name) {
                payers.push_back({.name = each.name, .iban = each.iban, .holder = each.holder});
                accounts.push_back({.name = each.name, .iban = each.iban});
            }
        }
        ModeObjects& made = modes[mode];
        made.routing = std::make_unique<flow::Routing>(flow::Routing::Parts{
            .ledger = needs.ledger,
            .payments = needs.payments,
            .ids = needs.ids,
            .mode = mode,
            .connectors = needs.priorities.at(mode),
        });
        FLORIN_TRY_VOID(made.routing->load());
        made.settlement = std::make_unique<settlement::Settlement>(settlement::Settlement::Parts{
            .ledger = needs.ledger,
            .ids = needs.ids,
            .renderer = needs.renderer,
            .mode = mode,
            .bank_accounts = std::move(payers),
            .outbox = {fs::absolute(outbox), settlement::kernel_boot_id()},
        });
        made.reconciliation = std::make_unique<recon::Reconciliation>(recon::Reconciliation::Parts{
            .ledger = needs.ledger,
            .take_evidence =
                [&payments = needs.payments](
                    std::string owner, std::string attempt, model::Evidence evidence
                ) {
                    return payments.take_evidence(
                        std::move(owner), std::move(attempt), std::move(evidence)
                    );
                },
            .ids = needs.ids,
            .mode = mode,
            .acquirers = std::move(acquirers),
            .bank_accounts = std::move(accounts),
        });
        made.totals = make_totals(plan, needs, mode);
        auto recovered =
            asio::co_spawn(needs.background, made.settlement->recover(), asio::use_future);
        FLORIN_TRY_VOID(recovered.get());
    }
    return modes;
}

}  // namespace florin

#include "daemon/totals/comparison.h"

#include "daemon/flow/identity.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "daemon/pause.h"
#include "ledger/base/check.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace florin::totals {
namespace {

namespace asio = boost::asio;
using connectors::TotalsReply;
using connectors::TotalsRequest;
using connectors::TotalsResult;
using flow::Change;
using model::TotalsCursor;
using model::TotalsDocument;

constexpr char const* kWaiting = "waiting";
constexpr char const* kAnswered = "answered";
constexpr std::size_t kDetailMax = 200;

model::TotalsByName by_name(connectors::SaidTotals const& totals) {
    return {totals.begin(), totals.end()};
}

connectors::Totals totals_from(model::TotalsByName const& names) {
    connectors::Totals totals;
    for (auto const& each : connectors::total_names()) {
        if (auto const found = names.find(std::string{each.name}); found != names.end()) {
            totals.*each.member = found->second;
        }
    }
    return totals;
}

std::string text_of(model::TotalsByName const& totals) {
    std::string text;
    for (auto const& [name, value] : totals) {
        text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
    }
    return text;
}

std::string text_of(std::vector<std::string> const& names) {
    std::string text;
    for (std::string const& name : names) {
        text += (text.empty() ? "" : " ") + name;
    }
    return text;
}

// What an attempt would be that the bank knows by the same identity.
model::Attempt as_attempt(TotalsDocument const& totals) {
    model::Attempt like;
    like.id = model::totals_holder(totals);
    like.connector = totals.connector;
    like.created = totals.created;
    like.stan = totals.stan;
    like.link = totals.link;
    like.transmission_time = totals.transmission_time;
    return like;
}

connectors::Identity identity_of(TotalsDocument const& totals) {
    model::Attempt const like = as_attempt(totals);
    return {
        .attempt = AttemptId{like.id},
        .stan = static_cast<std::uint32_t>(like.stan),
        .rrn = flow::retrieval_reference(like),
        .transmission_time = like.transmission_time,
        .link = flow::link_of(like),
    };
}

// The one that attempts of that link take their STANs from.
std::string counter_of(TotalsDocument const& totals) {
    return flow::stan_counter(as_attempt(totals));
}

}  // namespace

Comparison::Comparison(Parts parts)
    : parts_{std::move(parts)},
      owner_{model::connector_owner(parts_.connector.id().text(), parts_.mode)} {}

Figures Comparison::figures() const {
    Figures figures{.waiting = waiting_count_, .results = {}, .out_of_balance = out_of_balance_};
    for (std::size_t i = 0; i < results_.size(); ++i) {
        figures.results[i] = results_[i];
    }
    return figures;
}

asio::awaitable<void> Comparison::pause(std::uint64_t ms) const {
    return pause_unless(stopping_, ms);
}

asio::awaitable<void> Comparison::run() {
    std::uint64_t trouble_ms = parts_.options.retry_first_ms;
    while (!stopping_) {
        auto const stepped = co_await step();
        if (stepped) {
            trouble_ms = parts_.options.retry_first_ms;
            co_await pause(parts_.options.tick_ms);
            continue;
        }
        if (stepped.error().code != Errc::closed) {
            log::error(
                "totals.failed", {{"connector", connector()}, {"what", stepped.error().context}}
            );
        }
        co_await pause(trouble_ms);
        trouble_ms = std::min(trouble_ms * 2, parts_.options.retry_most_ms);
    }
}

// ---- what is known ------------------------------------------------------------------------------

void Comparison::note_result(TotalsDocument const& totals) {
    if (totals.date < newest_date_) {
        return;
    }
    if (totals.date > newest_date_) {
        newest_date_ = totals.date;
        newest_out_of_balance_ = 0;
    }
    if (totals.result == connectors::totals_result_name(TotalsResult::out_of_balance)) {
        ++newest_out_of_balance_;
    }
    out_of_balance_ = newest_out_of_balance_;
}

// A number is in the document from the first send on; until then the counter knows whose it is.
Result<void> Comparison::find_stans() {
    for (Waiting& each : waiting_) {
        if (each.value.stan != 0) {
            continue;
        }
        FLORIN_TRY(auto const held, parts_.ledger.documents().held(counter_of(each.value)));
        auto const found = std::ranges::find(
            held, model::totals_holder(each.value), &ledger::DocumentReader::Held::holder
        );
        if (found == held.end()) {
            return fail(
                Errc::corrupt, model::totals_holder(each.value) + " has no number on its link"
            );
        }
        each.value.stan = found->value;
    }
    return {};
}

Result<void> Comparison::load() {
    auto const& reader = parts_.ledger.documents();
    waiting_.clear();
    newest_date_.clear();
    newest_out_of_balance_ = 0;
    auto const take = [this](std::string const&, auto stored) -> Result<bool> {
        if (stored.value.state == kAnswered) {
            note_result(stored.value);
        } else {
            waiting_.push_back(std::move(stored));
        }
        return true;
    };
    FLORIN_TRY_VOID(flow::each_of<TotalsDocument>(reader, owner_, {}, take));
    FLORIN_TRY_VOID(find_stans());
    FLORIN_TRY(cursor_, flow::load<TotalsCursor>(reader, owner_, model::kTotalsCursor));
    done_ = cursor_ ? cursor_->value.day : 0;
    waiting_count_ = waiting_.size();
    is_loaded_ = true;
    return {};
}

// ---- the cut-over -------------------------------------------------------------------------------

asio::awaitable<Result<void>> Comparison::step() {
    auto done = co_await do_step();
    if (!done) {
        is_loaded_ = false;
    }
    co_return done;
}

asio::awaitable<Result<void>> Comparison::do_step() {
    if (!is_loaded_) {
        FLORIN_CO_TRY_VOID(load());
    }
    if (!cursor_) {
        FLORIN_CO_TRY_VOID(co_await begin());
    }
    // The later our totals are counted, the fewer outcomes are unknown: not before they can go out.
    if (!parts_.connector.health().ready) {
        co_return Result<void>{};
    }
    Day const open = day_of(parts_.ids.now_s() - parts_.options.delay_s);
    if (open - done_ - 1 > parts_.options.days_max) {
        Day const skipped = open - parts_.options.days_max - 1;
        log::warn(
            "totals.dates_skipped",
            {{"connector", connector()}, {"after", date_of(done_)}, {"to", date_of(skipped)}}
        );
        done_ = skipped;
    }
    while (done_ < open - 1 && !stopping_) {
        FLORIN_CO_TRY_VOID(co_await close_day(done_ + 1));
    }
    for (Waiting& each : waiting_) {
        bool const may_go = !stopping_ && parts_.connector.health().ready;
        if (may_go && is_due(each.value)) {
            FLORIN_CO_TRY_VOID(co_await send(each));
        }
    }
    std::erase_if(waiting_, [](Waiting const& each) { return each.value.state == kAnswered; });
    waiting_count_ = waiting_.size();
    co_return Result<void>{};
}

// From now on: what was before, nobody asked for.
asio::awaitable<Result<void>> Comparison::begin() {
    Day const yesterday = day_of(parts_.ids.now_s()) - 1;
    flow::Stored<TotalsCursor> cursor{.value = {.day = yesterday}, .version = 0};
    Change change{owner_};
    change.put(model::kTotalsCursor, cursor);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), "a first date"));
    ++cursor.version;
    cursor_ = std::move(cursor);
    done_ = yesterday;
    co_return Result<void>{};
}

// A range of each merchant's attempts. In pieces, so that links on this thread get their turn.
asio::awaitable<Result<DayCount>> Comparison::count(Day day) {
    constexpr std::size_t kPage = 200;
    auto const& reader = parts_.ledger.documents();
    std::vector<std::string> owners;
    auto const take = [&](std::string const& id, auto const&) -> Result<bool> {
        owners.push_back(model::owner_of(id, parts_.mode));
        return true;
    };
    std::string const platform = model::owner_of("platform", parts_.mode);
    FLORIN_CO_TRY_VOID(flow::each_of<model::Merchant>(reader, platform, {}, take));
    DayCount counted{connector(), day};
    std::string const end = counted.id_end();
    auto const executor = co_await asio::this_coro::executor;
    for (std::string const& owner : owners) {
        std::string after = counted.id_after();
        for (bool is_over = false; !is_over;) {
            FLORIN_CO_TRY(
                auto const page,
                reader.list(
                    {.kind = static_cast<std::uint16_t>(model::Kind::attempt),
                     .owner = owner,
                     .after = after,
                     .newest_first = false,
                     .limit = kPage}
                )
            );
            is_over = page.size() < kPage;
            for (ledger::Document const& document : page) {
                after = document.key.id;
                if (after >= end) {
                    is_over = true;
                    break;
                }
                FLORIN_CO_TRY(
                    auto const attempt, model::from_text<model::Attempt>(document.body.value_or(""))
                );
                counted.add(attempt);
            }
            if (stopping_) {
                co_return fail(Errc::closed, "the daemon stops");
            }
            co_await asio::post(executor, asio::use_awaitable);
        }
    }
    co_return counted;
}

asio::awaitable<Result<void>> Comparison::close_day(Day day) {
    FLORIN_CO_TRY(DayCount const counted, co_await count(day));
    std::int64_t const now_s = parts_.ids.now_s();
    std::vector<Waiting> made;
    Change change{owner_};
    for (auto const& [currency, of] : counted.by_currency()) {
        TotalsDocument totals;
        totals.connector = connector();
        totals.date = date_of(day);
        totals.currency = currency;
        totals.message = parts_.options.is_advice ? "advice" : "request";
        totals.ours = by_name(connectors::said(of.totals));
        totals.open = of.open;
        totals.created = now_s;
        connectors::LinkChoice const choice = parts_.connector.choose_link();
        totals.link = choice.link == 1 ? 0 : choice.link;
        totals.transmission_time = flow::transmission_time_of(now_s, choice);
        totals.state = kWaiting;
        change.put(model::totals_id(totals.date, currency), totals, 0);
        change.command.take_counters.push_back(
            {.counter = counter_of(totals),
             .min = 1,
             .max = parts_.options.stan_max,
             .holder = model::totals_holder(totals)}
        );
        made.push_back({.value = std::move(totals), .version = 1});
    }
    auto cursor = *cursor_;
    cursor.value.day = day;
    change.put(model::kTotalsCursor, cursor);
    std::string const what = "totals of " + date_of(day);
    FLORIN_CO_TRY(
        auto const receipt, co_await parts_.ledger.commit(std::move(change.command), what)
    );
    FLORIN_CHECK(receipt.counters.size() == made.size(), "each message has its number");
    for (std::size_t i = 0; i < made.size(); ++i) {
        made[i].value.stan = receipt.counters[i];
        waiting_.push_back(std::move(made[i]));
    }
    ++cursor.version;
    cursor_ = std::move(cursor);
    done_ = day;
    waiting_count_ = waiting_.size();
    co_return Result<void>{};
}

// ---- asking -------------------------------------------------------------------------------------

bool Comparison::is_due(TotalsDocument const& totals) const {
    if (totals.sends == 0) {
        return true;
    }
    std::uint64_t wait_ms = parts_.options.retry_first_ms;
    for (std::int64_t i = 1; i < totals.sends && wait_ms < parts_.options.retry_most_ms; ++i) {
        wait_ms *= 2;
    }
    wait_ms = std::min(wait_ms, parts_.options.retry_most_ms);
    std::int64_t const now_ms = parts_.ids.now_ms();
    // A clock that was set back must not keep it waiting.
    return now_ms < totals.sent_ms || now_ms - totals.sent_ms >= static_cast<std::int64_t>(wait_ms);
}

// That it goes out is durable before it does, so that after a crash it is known to be a repeat.
asio::awaitable<Result<void>> Comparison::send(Waiting& waiting) {
    TotalsDocument& totals = waiting.value;
    ++totals.sends;
    totals.sent_ms = parts_.ids.now_ms();
    std::string const id = model::totals_id(totals.date, totals.currency);
    Change change{owner_};
    change.put(id, waiting);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), id));
    ++waiting.version;
    auto const currency = Currency::from_alphabetic(totals.currency);
    FLORIN_CHECK(currency.has_value(), "a stored attempt's currency is known");
    TotalsRequest request{
        .identity = identity_of(totals),
        .date = totals.date,
        .currency = *currency,
        .totals = totals_from(totals.ours),
        .is_advice = totals.message == "advice",
        .repeat = totals.sends > 1,
    };
    auto reply = co_await parts_.connector.compare_totals(std::move(request));
    if (reply.end == TotalsReply::End::answered) {
        co_return co_await take(waiting, std::move(reply));
    }
    log::warn(
        "totals.unanswered",
        {{"connector", totals.connector},
         {"date", totals.date},
         {"currency", totals.currency},
         {"stan", totals.stan},
         {"sends", totals.sends},
         {"what", reply.detail}}
    );
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Comparison::take(Waiting& waiting, TotalsReply reply) {
    Waiting answered = waiting;
    TotalsDocument& totals = answered.value;
    auto verdict = connectors::judge(totals_from(totals.ours), reply.totals, reply.claim);
    totals.state = kAnswered;
    totals.result = connectors::totals_result_name(verdict.result);
    totals.claim = connectors::balance_claim_name(reply.claim);
    totals.code = std::move(reply.code);
    totals.detail = reply.detail.substr(0, kDetailMax);
    totals.theirs = by_name(reply.totals);
    totals.differing = std::move(verdict.differing);
    totals.answered = parts_.ids.now_s();
    std::string const id = model::totals_id(totals.date, totals.currency);
    Change change{owner_};
    change.put(id, answered);
    change.command.release_counters.push_back({.counter = counter_of(totals), .value = totals.stan}
    );
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), id));
    ++answered.version;
    ++results_[static_cast<std::size_t>(verdict.result)];
    note_result(totals);
    log_answer(totals);
    waiting = std::move(answered);
    co_return Result<void>{};
}

void Comparison::log_answer(TotalsDocument const& totals) const {
    using connectors::totals_result_name;
    bool const is_well = totals.result == totals_result_name(TotalsResult::in_balance);
    auto const write = is_well ? log::info : log::warn;
    write(
        "totals.compared",
        {{"connector", totals.connector},
         {"date", totals.date},
         {"currency", totals.currency},
         {"result", totals.result},
         {"claim", totals.claim},
         {"code", totals.code},
         {"differing", text_of(totals.differing)},
         {"ours", text_of(totals.ours)},
         {"theirs", text_of(totals.theirs)},
         {"open", totals.open},
         {"stan", totals.stan},
         {"sends", totals.sends},
         {"detail", totals.detail}}
    );
}

}  // namespace florin::totals

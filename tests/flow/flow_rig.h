// The flow with a real ledger and vault, and a bank that says what the test wrote down for it.
#pragma once

#include "crypto/aead.h"
#include "daemon/flow/payments.h"
#include "daemon/model/reconciliation.h"
#include "ledger/ledger.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace florin::flow::test {

namespace asio = boost::asio;
using connectors::Outcome;
using connectors::Reply;

// True as soon as the condition holds; polls.
inline bool eventually(std::function<bool()> const& condition) {
    constexpr int kPatienceSeconds = 20;
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds{kPatienceSeconds};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
}

// A message that the flow sent.
struct Sent {
    std::string operation;
    connectors::Identity identity;
    std::optional<connectors::OriginalReference> original;
    std::int64_t amount = 0;
    bool repeat = false;
    std::string credential{};  // of an authorisation: "CF", and what it names as the first payment
    std::string original_payment{};
    std::string cryptogram{};
};

inline Reply says(Outcome outcome, std::string code = {}) {
    Reply reply;
    reply.outcome = outcome;
    reply.response_code = std::move(code);
    reply.authorization_code = outcome == Outcome::approved ? "A00001" : "";
    return reply;
}

// Answers each operation with what was scripted for it, first come first served, and approves where
// nothing was.
class ScriptedBank final : public connectors::Connector {
public:
    explicit ScriptedBank(std::string id, bool has_stans = true)
        : id_{std::move(id)}, has_stans_{has_stans} {}

    void script(std::string const& operation, Reply reply) {
        std::lock_guard const lock{mutex_};
        scripts_[operation].push_back(std::move(reply));
    }
    std::vector<Sent> sent(std::string const& operation = {}) const {
        std::lock_guard const lock{mutex_};
        std::vector<Sent> found;
        for (Sent const& each : sent_) {
            if (operation.empty() || each.operation == operation) {
                found.push_back(each);
            }
        }
        return found;
    }
    std::atomic<bool> ready = true;
    // What the next messages are for.
    std::atomic<std::uint32_t> link = 1, links = 1;
    // Answers wait while it is held.
    std::atomic<bool> held = false;
    // Takes everything and says nothing.
    std::atomic<bool> silent = false;

    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "scripted"; }
    bool needs_link_identity() const override { return has_stans_; }
    connectors::LinkChoice choose_link() const override { return {link, links}; }
    bool can_inquire() const override { return can_ask; }
    std::atomic<bool> can_ask = false;
    connectors::Health health() const override {
        ++health_asked;
        return {.ready = ready, .detail = ""};
    }
    mutable std::atomic<int> health_asked = 0;
    void start() override {}
    asio::awaitable<void> stop() override { co_return; }

    asio::awaitable<Reply> authorise(connectors::AuthoriseRequest request) override {
        Sent sent{"authorise", request.identity, {}, request.amount.minor, false};
        sent.credential = credential_use_code(request.credential);
        sent.original_payment = request.original_network_transaction_id;
        sent.cryptogram = request.authentication.cryptogram.reveal();
        return answer(std::move(sent));
    }
    asio::awaitable<Reply> capture(connectors::CaptureRequest request) override {
        return answer(
            {"capture", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }
    asio::awaitable<Reply> reverse(connectors::ReverseRequest request) override {
        return answer(
            {"reverse", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }
    asio::awaitable<Reply> refund(connectors::RefundRequest request) override {
        return answer(
            {"refund", request.identity, request.original, request.amount.minor, request.repeat}
        );
    }

    asio::awaitable<Reply> inquire(connectors::InquireRequest request) override {
        return answer({"inquire", request.identity, {}, request.amount.minor, false});
    }

private:
    asio::awaitable<Reply> answer(Sent message) {
        Reply reply = says(Outcome::approved, "00");
        if (!ready) {
            co_return says(Outcome::not_sent);
        }
        if (silent) {
            reply = says(Outcome::unknown);
        }
        {
            std::lock_guard const lock{mutex_};
            auto& script = scripts_[message.operation];
            if (!script.empty()) {
                reply = script.front();
                script.pop_front();
            }
            if (reply.outcome != Outcome::not_sent) {
                sent_.push_back(std::move(message));
            }
        }
        asio::steady_timer timer{co_await asio::this_coro::executor};
        while (held) {
            timer.expires_after(std::chrono::milliseconds{1});
            co_await timer.async_wait(asio::use_awaitable);
        }
        co_return reply;
    }

    ConnectorId const id_;
    bool const has_stans_;
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<Reply>> scripts_;
    std::vector<Sent> sent_;
};

// "pi_1 processing", "re_1 pending": enough to see what was answered.
class PlainRenderer final : public Renderer {
public:
    std::string intent(Objects const& objects) const override {
        return objects.intent.id + " " + objects.intent.status;
    }
    std::string charge(Objects const& objects) const override { return objects.charge->id; }
    std::string refund(Objects const& objects) const override {
        return objects.refund->id + " " + objects.refund->status;
    }
    std::string method(Objects const& objects) const override { return objects.method->id; }
    std::string balance(Balance const& balance) const override {
        return std::to_string(balance.currencies.size());
    }
    Result<std::string> document(model::Kind, std::string const&, std::string_view text)
        const override {
        return std::string{text};
    }
    std::string previous(std::string const& before, std::string const&) const override {
        return "\"" + before + "\"";
    }
};

// The system's clock, and what a test lets pass at once.
class TravellingClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return system_.wall_ns() + ahead_ns_; }
    std::uint64_t steady_ns() const override { return system_.steady_ns() + ahead_ns_; }
    void advance(std::chrono::nanoseconds by) {
        ahead_ns_ += static_cast<std::uint64_t>(by.count());
    }

private:
    SystemClock system_;
    std::atomic<std::uint64_t> ahead_ns_ = 0;
};

// A bank that may do without STANs, and the daemon's flow with everything it stands on. `restart`
// is a crash and a new start on the same directory, as far as the flow can tell.
class Rig {
public:
    struct Ways {
        bool has_timers = true;
        bool keeps_pauses = false;  // between repeats, as the options say; otherwise they are short
        bool is_durable = true;     // false: quicker, for what never crashes
    };
    explicit Rig(
        std::vector<connectors::Connector*> banks, FlowOptions options = {}, bool has_timers = true
    )
        : Rig{std::move(banks), options, Ways{.has_timers = has_timers}} {}
    Rig(std::vector<connectors::Connector*> banks, FlowOptions options, Ways ways)
        : banks_{std::move(banks)}, options_{options}, ways_{ways} {
        if (!ways_.keeps_pauses) {
            options_.retry_first_ms = 20;
            options_.retry_most_ms = 100;
        }
        start();
    }
    Rig(Rig const&) = delete;
    Rig& operator=(Rig const&) = delete;
    ~Rig() { end(); }

    void restart() {
        end();
        start();
    }
    // The same with other banks than before.
    void restart(std::vector<connectors::Connector*> banks) {
        end();
        banks_ = std::move(banks);
        start();
    }

    Payments& payments() { return *payments_; }
    LedgerClient& client() { return *client_; }
    model::IdMaker& ids() { return ids_; }
    TravellingClock& clock() { return clock_; }
    vault::Vault& vault() { return *vault_; }
    asio::any_io_executor executor() { return context_.get_executor(); }
    std::filesystem::path data_dir() const { return folder_.path() / "data"; }
    ledger::DocumentReader const& documents() const { return ledger_->documents(); }
    Caller caller(std::string key = {}) const {
        return {
            .owner = kOwner,
            .merchant = "acct_1",
            .mode = model::Mode::test,
            .request_id = "req_1",
            .idempotency_key = std::move(key),
            .fingerprint = "f",
        };
    }

    template <class T>
    T wait(asio::awaitable<T> work) {
        return asio::co_spawn(context_, std::move(work), asio::use_future).get();
    }
    template <class T>
    std::future<T> begin(asio::awaitable<T> work) {
        return asio::co_spawn(context_, std::move(work), asio::use_future);
    }

    asio::awaitable<api::ApiResult<Done>> paying(
        std::int64_t amount, std::string capture_method, std::string key, std::string route
    ) {
        model::PaymentIntent intent;
        intent.id = ids_.make("pi");
        intent.merchant = "acct_1";
        intent.currency = "EUR";
        intent.amount = amount;
        intent.status = "requires_confirmation";
        intent.capture_method = capture_method;
        intent.created = ids_.now_s();
        if (!route.empty()) {
            intent.metadata["florin_route"] = route;
        }
        if (adjust) {
            adjust(intent);
        }
        last_intent = intent.id;
        auto wanted = std::make_unique<Confirmation>();
        wanted->intent.value = std::move(intent);
        wanted->secrets.cvc = Cvv{std::string_view{"123"}};
        wanted->secrets.cryptogram = connectors::Cryptogram{std::string_view{kCryptogram}};
        wanted->method = {.value = method_, .version = 1};
        if (!new_method.id.empty()) {
            wanted->method = {.value = new_method, .version = 0};
            wanted->method.value.vault_token = method_.vault_token;
        }
        return payments_->confirm(caller(key), std::move(wanted), render());
    }
    api::ApiResult<Done> pay(
        std::int64_t amount,
        std::string const& capture_method = "automatic",
        std::string const& key = {},
        std::string const& route = {}
    ) {
        return wait(paying(amount, capture_method, key, route));
    }
    Render render() const {
        return [this](Objects const& objects) { return Done{200, renderer_.intent(objects)}; };
    }
    Render render_refund() const {
        return [this](Objects const& objects) { return Done{200, renderer_.refund(objects)}; };
    }

    model::PaymentIntent intent(std::string const& id) const {
        return load_known<model::PaymentIntent>(documents(), kOwner, id)->value;
    }
    std::vector<model::Attempt> attempts(std::string const& operation) const {
        std::vector<model::Attempt> found;
        auto const take = [&](ledger::Document const& document) -> Result<bool> {
            auto attempt = model::from_text<model::Attempt>(*document.body);
            if (attempt->operation == operation) {
                found.push_back(std::move(*attempt));
            }
            return true;
        };
        static_cast<void>(documents().each(static_cast<std::uint16_t>(model::Kind::attempt), take));
        return found;
    }
    bool all_closed() const {
        bool any = false;
        auto const see = [&](ledger::Document const&) -> Result<bool> {
            any = true;
            return false;
        };
        static_cast<void>(
            documents().each(static_cast<std::uint16_t>(model::Kind::open_attempt), see)
        );
        return !any;
    }
    // The bank's report has to have a line about it.
    bool is_expected(model::Attempt const& attempt) const {
        auto const owner = model::connector_owner(attempt.connector, model::Mode::test);
        return load<model::ExpectedLine>(documents(), owner, attempt.id)->has_value();
    }
    // Posted and pending debits and credits of the receivable of a bank.
    ledger::Account receivable(std::string const& bank) {
        return account(model::Role::receivable, bank);
    }
    ledger::Account account(model::Role role, std::string const& owner) {
        model::Book const book{*Currency::from_alphabetic("EUR"), model::Mode::test};
        auto const id = model::account_id(role, owner, book);
        auto const answer = ledger_->call(ledger::LookupAccounts{{id}});
        auto const& accounts = std::get<ledger::AccountsAnswer>(*answer).accounts;
        return accounts.empty() ? ledger::Account{} : accounts[0];
    }
    ledger::CommandStatus apply(ledger::Command command) {
        auto const answer = ledger_->call(std::move(command));
        return std::get<ledger::Receipt>(*answer).status;
    }
    connectors::LateReply late(Sent const& message, Reply reply) const {
        return {
            .connector = banks_[0]->id(),
            .mti = "0110",
            .stan = message.identity.stan,
            .transmission_time = message.identity.transmission_time,
            .rrn = message.identity.rrn,
            .terminal_id = "TERM0001",
            .reply = std::move(reply),
            .attempt = message.identity.attempt,
        };
    }

    // Types of the events about one payment's owner, in order.
    std::vector<std::string> events() const {
        std::vector<std::string> types;
        auto const list = documents().events_of(kOwner, 0, 0, 1'000);
        for (auto const& event : *list) {
            types.push_back(event.type);
        }
        return types;
    }

    static constexpr char const* kOwner = "acct_1/test";
    static constexpr char const* kCryptogram = "jAAAAAAAAAAAAAAAAAAAAAAAAAE=";
    std::string last_intent;
    std::function<void(model::PaymentIntent&)> adjust;  // before an intent is confirmed
    model::PaymentMethod new_method;  // with an id: used instead of the one that is there

private:
    void start() {
        ledger_ = *ledger::Ledger::open(
            {.data_dir = folder_.path() / "data", .sync = ways_.is_durable}, clock_
        );
        client_ = std::make_unique<LedgerClient>(*ledger_);
        auto keys = crypto::KeyRing::parse("1 " + std::string(64, '7') + "\n", "test");
        vault_ = *vault::Vault::open(folder_.path() / "vault", std::move(*keys), random_, clock_);
        guard_.emplace(context_.get_executor());
        context_.restart();
        thread_ = std::thread{[this] { context_.run(); }};
        if (method_.id.empty()) {
            seed();
        }
        payments_ = std::make_unique<Payments>(Payments::Parts{
            .ledger = *client_,
            .vault = *vault_,
            .routes = {{model::Mode::test, {banks_, banks_}}},
            .connectors = banks_,
            .ids = ids_,
            .renderer = renderer_,
            .background = context_.get_executor(),
            .options = options_,
        });
        recovered = wait(payments_->recover()).has_value();
        if (ways_.has_timers) {
            timers_ = begin(payments_->run_timers());
        }
    }
    void end() {
        payments_->stop();
        if (timers_.valid()) {
            timers_.get();
        }
        ledger_->stop();
        payments_->wait_idle();
        guard_.reset();
        thread_.join();
        payments_.reset();
        vault_.reset();
        client_.reset();
        ledger_.reset();
    }
    void seed() {
        method_.id = "pm_1";
        Pan pan{std::string_view{"4242424242424242"}};
        method_.vault_token = wait(vault_->put(kOwner, std::move(pan)))->text();
        method_.brand = "visa";
        method_.exp_month = 12;
        method_.exp_year = 2040;
        method_.customer = "cus_1";  // and so it may be used again
        Change change{kOwner};
        change.put(method_.id, method_, 0);
        static_cast<void>(apply(std::move(change.command)));
        model::Merchant merchant;
        merchant.id = "acct_1";
        merchant.name = "Shop";
        merchant.terminal_id = "TERM0001";
        Change terms{model::owner_of("platform", model::Mode::test)};
        terms.put(merchant.id, merchant, 0);
        static_cast<void>(apply(std::move(terms.command)));
    }

    florin::test::TempDir folder_;
    TravellingClock clock_;
    crypto::SystemRandom random_;
    model::IdMaker ids_{clock_, random_};
    std::vector<connectors::Connector*> banks_;
    FlowOptions options_;
    Ways ways_;
    PlainRenderer renderer_;
    model::PaymentMethod method_;
    asio::io_context context_{1};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
    std::thread thread_;
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<LedgerClient> client_;
    std::unique_ptr<vault::Vault> vault_;
    std::unique_ptr<Payments> payments_;
    std::future<void> timers_;

public:
    bool recovered = false;
};

}  // namespace florin::flow::test

#include "daemon/ledger_client.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace florin {
namespace {

namespace asio = boost::asio;
using Handler = asio::any_completion_handler<void(Result<ledger::Answer>)>;

class AwaitedRequest final : public ledger::PendingRequest {
public:
    AwaitedRequest(ledger::Request wanted, Handler handler, asio::any_io_executor home)
        : PendingRequest{std::move(wanted)}, handler_{std::move(handler)}, home_{std::move(home)} {}
    void answer(Result<ledger::Answer> given) override {
        asio::post(home_, asio::append(std::move(handler_), std::move(given)));
    }

private:
    Handler handler_;
    asio::any_io_executor home_;  // tracked work: keeps the caller's context running
};

// What Asio calls with the handler of a coroutine that has begun to wait.
struct HandOver {
    ledger::Ledger* ledger;
    ledger::Request request;

    template <class Waiting>
    void operator()(Waiting waiting) {
        asio::any_io_executor const caller = asio::get_associated_executor(waiting);
        auto home = asio::prefer(caller, asio::execution::outstanding_work.tracked);
        ledger->submit(std::make_unique<AwaitedRequest>(
            std::move(request), Handler{std::move(waiting)}, std::move(home)
        ));
    }
};

}  // namespace

asio::awaitable<Result<ledger::Answer>> LedgerClient::submit(ledger::Request request) {
    if (!observer_) {
        co_return co_await hand_over(std::move(request));
    }
    std::uint64_t const begin = clock_->steady_ns();
    auto answer = co_await hand_over(std::move(request));
    observer_(clock_->steady_ns() - begin);
    co_return answer;
}

asio::awaitable<Result<ledger::Answer>> LedgerClient::hand_over(ledger::Request request) {
    HandOver initiate{.ledger = &ledger_, .request = std::move(request)};
    return asio::async_initiate<asio::use_awaitable_t<> const, void(Result<ledger::Answer>)>(
        std::move(initiate), asio::use_awaitable
    );
}

asio::awaitable<Result<ledger::Receipt>> LedgerClient::submit_command(ledger::Command command) {
    std::uint64_t const begin = observer_ ? clock_->steady_ns() : 0;
    ledger::Request request{std::move(command)};
    auto answer = co_await hand_over(std::move(request));
    if (observer_) {
        observer_(clock_->steady_ns() - begin);
    }
    if (!answer) {
        co_return std::unexpected{std::move(answer).error()};
    }
    co_return std::get<ledger::Receipt>(std::move(*answer));
}

asio::awaitable<Result<ledger::Receipt>> LedgerClient::commit(
    ledger::Command command, std::string_view what
) {
    auto receipt = co_await submit_command(std::move(command));
    if (receipt && !receipt->committed()) {
        co_return fail(
            Errc::conflict,
            fmt::format(
                "{}: {}, {}",
                what,
                status_name(receipt->status),
                ledger::status_name(receipt->transfer_status)
            )
        );
    }
    co_return receipt;
}

}  // namespace florin

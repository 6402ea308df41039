#include "daemon/http/server.h"

#include "daemon/http/session.h"
#include "daemon/log/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <future>
#include <pthread.h>
#include <sys/socket.h>
#include <thread>

namespace florin::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// One io thread with its acceptor and its connections.
struct Worker {
    Worker(
        ServerOptions const& options,
        Handler const& handler,
        Counters& counters,
        crypto::Random& random
    )
        : context{1},
          work{asio::make_work_guard(context)},
          acceptor{context},
          lane{
              .options = options,
              .handler = handler,
              .counters = counters,
              .random = random,
              .connections = {}
          } {}

    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    tcp::acceptor acceptor;
    Lane lane;
    std::uint64_t sessions = 0;  // open, on this thread
    std::thread thread;
};

asio::awaitable<void> count_session(tcp::socket socket, Worker& worker) {
    co_await run_session(std::move(socket), worker.lane);
    --worker.sessions;
    --worker.lane.counters.connections;
}

asio::awaitable<void> accept_loop(Worker& worker) {
    Counters& counters = worker.lane.counters;
    while (worker.acceptor.is_open()) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        tcp::socket socket = co_await worker.acceptor.async_accept(token);
        if (error) {
            if (error == asio::error::operation_aborted || !worker.acceptor.is_open()) {
                co_return;
            }
            // Out of file descriptors, most likely: let some connections end first.
            log::warn("http.accept_failed", {{"what", error.message()}});
            asio::steady_timer pause{worker.context, std::chrono::milliseconds{100}};
            co_await pause.async_wait(token);
            continue;
        }
        ++counters.accepted;
        if (counters.connections >= worker.lane.options.limits.connections_max) {
            ++counters.refused;
            continue;
        }
        ++counters.connections;
        ++worker.sessions;
        asio::co_spawn(worker.context, count_session(std::move(socket), worker), asio::detached);
    }
}

// Deadlines are looked at so often: a wait may last that much longer.
constexpr std::chrono::milliseconds kWatch{100};

asio::awaitable<void> watch_loop(Worker& worker) {
    asio::steady_timer timer{worker.context};
    for (;;) {
        timer.expires_after(kWatch);
        co_await timer.async_wait(asio::use_awaitable);
        worker.lane.cut_late(std::chrono::steady_clock::now());
    }
}

class BeastServer final : public Server {
public:
    BeastServer(ServerOptions options, Handler const& handler)
        : options_{std::move(options)}, handler_{handler} {}

    ~BeastServer() override { stop(); }

    Result<void> start() {
        error_code error;
        auto const address = asio::ip::make_address(options_.address, error);
        if (error) {
            return fail(Errc::malformed, options_.address + ": not an IP address");
        }
        for (unsigned i = 0; i < std::max(1U, options_.threads); ++i) {
            workers_.push_back(std::make_unique<Worker>(options_, handler_, counters_, random_));
            FLORIN_TRY_VOID(listen(workers_.back()->acceptor, address));
        }
        for (auto& worker : workers_) {
            asio::co_spawn(worker->context, accept_loop(*worker), asio::detached);
            asio::co_spawn(worker->context, watch_loop(*worker), asio::detached);
            worker->thread = std::thread{[raw = worker.get()] { raw->context.run(); }};
            pthread_setname_np(worker->thread.native_handle(), "florin-io");
        }
        return {};
    }

    std::uint16_t port() const override { return options_.port; }

    asio::any_io_executor executor(unsigned index) override {
        return workers_[index % workers_.size()]->context.get_executor();
    }

    void stop_accepting() override {
        if (accepting_stopped_) {
            return;
        }
        accepting_stopped_ = true;
        for (auto& worker : workers_) {
            auto const close = [raw = worker.get()] {
                error_code ignored;
                raw->acceptor.close(ignored);
                raw->lane.stop();
            };
            asio::post(worker->context, close);
        }
        auto const deadline =
            std::chrono::steady_clock::now() + std::chrono::milliseconds{options_.limits.stop_ms};
        while (counters_.connections > 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
    }

    void stop() override {
        stop_accepting();
        for (auto& worker : workers_) {
            worker->work.reset();
            worker->context.stop();
        }
        for (auto& worker : workers_) {
            if (worker->thread.joinable()) {
                worker->thread.join();
            }
        }
    }

    Figures figures() const override {
        return {
            .connections = counters_.connections,
            .accepted = counters_.accepted,
            .refused = counters_.refused,
            .handshakes_failed = counters_.handshakes_failed,
            .requests = counters_.requests,
            .malformed = counters_.malformed,
        };
    }

private:
    // The first acceptor may pick the port; the others share it.
    Result<void> listen(tcp::acceptor& acceptor, asio::ip::address const& address) {
        error_code error;
        tcp::endpoint const endpoint{address, options_.port};
        std::string const name = options_.address + ":" + std::to_string(options_.port);
        acceptor.open(endpoint.protocol(), error);
        if (!error) {
            acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
        }
        int const one = 1;
        if (!error && options_.threads > 1 &&
            ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) !=
                0) {
            return fail(Errc::io, name + ": cannot share the port");
        }
        if (!error) {
            acceptor.bind(endpoint, error);
        }
        if (!error) {
            acceptor.listen(tcp::acceptor::max_listen_connections, error);
        }
        if (error) {
            Errc const code = error == asio::error::address_in_use ? Errc::already_held : Errc::io;
            return fail(code, name + ": cannot listen: " + error.message());
        }
        options_.port = acceptor.local_endpoint(error).port();
        return {};
    }

    ServerOptions options_;
    Handler const& handler_;
    Counters counters_;
    crypto::SystemRandom random_;
    std::vector<std::unique_ptr<Worker>> workers_;
    bool accepting_stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler const& handler) {
    auto server = std::make_unique<BeastServer>(std::move(options), handler);
    FLORIN_TRY_VOID(server->start());
    return server;
}

}  // namespace florin::http

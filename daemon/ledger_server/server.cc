#include "daemon/ledger_server/server.h"

#include "daemon/ledger_server/session.h"
#include "daemon/log/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace florin::ledger_server {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace protocol = ledger::protocol;
using boost::system::error_code;
using local = asio::local::stream_protocol;
using tcp = asio::ip::tcp;

// One io thread and its connections. The lane outlives the context: what the context still holds
// when it goes belongs to the lane.
struct Worker {
    Worker(ServerOptions const& options, ledger::Ledger& ledger, Counters& counters)
        : lane{
              .context = context,
              .options = options,
              .ledger = ledger,
              .counters = counters,
              .sessions = {}
          } {}

    Lane lane;
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{asio::make_work_guard(context)};
    std::thread thread;
};

// A file descriptor that is closed.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_{fd} {}
    Descriptor(Descriptor const&) = delete;
    Descriptor& operator=(Descriptor const&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

private:
    int fd_;
};

Error io_error(std::string const& what) {
    return {Errc::io, what + ": " + std::strerror(errno)};
}

// Makes way for a socket at this path: nothing is there, or one that nobody listens on.
Result<void> remove_stale(fs::path const& path, sockaddr_un const& address) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) {
        return errno == ENOENT ? Result<void>{} : std::unexpected{io_error(path.string())};
    }
    if (!S_ISSOCK(found.st_mode)) {
        return fail(Errc::already_held, path.string() + ": is there and is no socket");
    }
    Descriptor const probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    auto const* const raw = reinterpret_cast<sockaddr const*>(&address);
    if (::connect(probe.get(), raw, sizeof address) == 0 || errno == EAGAIN) {
        return fail(Errc::already_held, path.string() + ": another process listens on it");
    }
    if (errno != ECONNREFUSED) {
        return std::unexpected{io_error(path.string())};
    }
    if (::unlink(path.c_str()) != 0) {
        return std::unexpected{io_error(path.string())};
    }
    return {};
}

// The listening Unix socket. Removed with this object, where it is still the one it made.
class SocketFile {
public:
    Result<int> listen(fs::path const& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::string const name = path.string();
        if (name.size() >= sizeof address.sun_path) {
            return fail(
                Errc::out_of_range,
                name + ": a socket's path has at most " +
                    std::to_string(sizeof address.sun_path - 1) + " bytes"
            );
        }
        name.copy(address.sun_path, name.size());
        fs::path const folder = path.has_parent_path() ? path.parent_path() : fs::path{"."};
        // Two that start at once must not each take the other's new socket for a stale one.
        Descriptor const lock{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0) {
            return std::unexpected{io_error(folder.string())};
        }
        FLORIN_TRY_VOID(remove_stale(path, address));
        int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // Nobody can connect before listen(), so nobody does while the mode is another.
        bool const is_made =
            fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
        if (is_made && ::chmod(name.c_str(), 0600) == 0 && ::stat(name.c_str(), &made_) == 0 &&
            ::listen(fd, SOMAXCONN) == 0) {
            path_ = path;
            return fd;
        }
        auto error = io_error(name + ": cannot listen");
        Descriptor const unused{fd};
        if (is_made) {
            ::unlink(name.c_str());
        }
        return std::unexpected{std::move(error)};
    }

    void remove() {
        struct stat found{};
        if (!path_.empty() && ::lstat(path_.c_str(), &found) == 0 && found.st_ino == made_.st_ino &&
            found.st_dev == made_.st_dev) {
            ::unlink(path_.c_str());
        }
        path_.clear();
    }

private:
    fs::path path_;
    struct stat made_{};
};

// Says why and closes, without waiting for anybody.
void turn_away(local::socket& socket, protocol::ErrorCode code, std::string text) {
    protocol::FrameHeader none;
    none.version = protocol::kHelloVersion;
    auto const frame = protocol::AnswerFrame::refusal(none, code, std::move(text));
    std::string bytes{protocol::bytes_of(frame.header())};
    bytes += frame.body();
    // What does not fit is lost: the client sees a closed connection.
    static_cast<void>(
        ::send(socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
    );
}

class LedgerServer final : public Server {
public:
    LedgerServer(ServerOptions options, ledger::Ledger& ledger)
        : options_{std::move(options)}, ledger_{ledger} {}

    ~LedgerServer() override { stop(); }

    Result<void> start() {
        for (unsigned i = 0; i < std::max(1U, options_.threads); ++i) {
            workers_.push_back(std::make_unique<Worker>(options_, ledger_, counters_));
        }
        auto& first = workers_.front()->context;
        if (!options_.socket.empty()) {
            FLORIN_TRY(int const fd, socket_file_.listen(options_.socket));
            local_.emplace(first, local{}, fd);
            asio::co_spawn(first, accept(*local_), asio::detached);
        }
        if (!options_.address.empty()) {
            FLORIN_TRY_VOID(listen_tls());
            asio::co_spawn(first, accept(*tcp_), asio::detached);
        }
        for (auto& worker : workers_) {
            worker->thread = std::thread{[raw = worker.get()] { raw->context.run(); }};
            pthread_setname_np(worker->thread.native_handle(), "florin-ledger-io");
        }
        return {};
    }

    std::uint16_t port() const override { return options_.port; }

    void stop_accepting() override {
        if (std::exchange(accepting_stopped_, true)) {
            return;
        }
        socket_file_.remove();
        auto const close = [this] {
            error_code ignored;
            if (local_) {
                local_->close(ignored);
            }
            if (tcp_) {
                tcp_->close(ignored);
            }
        };
        asio::post(workers_.front()->context, close);
        for (auto& worker : workers_) {
            auto const stop_all = [lane = &worker->lane] {
                lane->stopping = true;
                for (auto* const session : lane->sessions) {
                    session->stop();
                }
            };
            asio::post(worker->context, stop_all);
        }
        wait_for_connections(options_.limits.stop_ms);
    }

    void stop() override {
        stop_accepting();
        // What the ledger answered while it stopped.
        wait_for_connections(1'000);
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
            .requests = counters_.requests,
            .events = counters_.events,
            .errors = counters_.errors,
        };
    }

private:
    Result<void> listen_tls() {
        std::string const name = options_.address + ":" + std::to_string(options_.port);
        if (!options_.tls || options_.tokens_sha256.empty()) {
            return fail(Errc::malformed, name + ": needs a certificate and a token");
        }
        error_code error;
        auto const address = asio::ip::make_address(options_.address, error);
        if (error) {
            return fail(Errc::malformed, options_.address + ": not an IP address");
        }
        tcp_.emplace(workers_.front()->context);
        tcp::endpoint const endpoint{address, options_.port};
        tcp_->open(endpoint.protocol(), error);
        if (!error) {
            tcp_->set_option(tcp::acceptor::reuse_address{true}, error);
        }
        if (!error) {
            tcp_->bind(endpoint, error);
        }
        if (!error) {
            tcp_->listen(tcp::acceptor::max_listen_connections, error);
        }
        if (error) {
            Errc const code = error == asio::error::address_in_use ? Errc::already_held : Errc::io;
            return fail(code, name + ": cannot listen: " + error.message());
        }
        options_.port = tcp_->local_endpoint(error).port();
        return {};
    }

    // Connections go to the threads in turn.
    template <class Acceptor>
    asio::awaitable<void> accept(Acceptor& acceptor) {
        using Socket = typename Acceptor::protocol_type::socket;
        for (std::size_t next = 0; acceptor.is_open(); ++next) {
            Lane& lane = workers_[next % workers_.size()]->lane;
            error_code error;
            auto token = asio::redirect_error(asio::use_awaitable, error);
            Socket socket = co_await acceptor.async_accept(lane.context, token);
            if (error) {
                if (error == asio::error::operation_aborted || !acceptor.is_open()) {
                    co_return;
                }
                // Out of file descriptors, most likely: let some connections end first.
                log::warn("ledger_server.accept_failed", {{"what", error.message()}});
                asio::steady_timer pause{acceptor.get_executor(), std::chrono::milliseconds{100}};
                co_await pause.async_wait(token);
                continue;
            }
            ++counters_.accepted;
            if (!is_welcome(socket)) {
                continue;
            }
            ++counters_.connections;
            auto begin = [&lane, taken = std::move(socket)]() mutable {
                start_session(std::move(taken), lane);
            };
            asio::post(lane.context, std::move(begin));
        }
    }

    // Counted before anything is said: who hears it may look at the figures.
    bool is_welcome(tcp::socket&) {
        bool const has_room = counters_.connections < options_.limits.connections_max;
        counters_.refused += has_room ? 0U : 1U;
        return has_room;
    }
    bool is_welcome(local::socket& socket) {
        ucred peer{};
        socklen_t size = sizeof peer;
        int const asked =
            ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
        if (asked != 0 || peer.uid != options_.peer_uid) {
            ++counters_.refused;
            log::warn("ledger_server.refused", {{"why", "another user"}, {"uid", peer.uid}});
            turn_away(
                socket,
                protocol::ErrorCode::unauthenticated,
                "this socket is for processes of user " + std::to_string(options_.peer_uid)
            );
            return false;
        }
        if (counters_.connections >= options_.limits.connections_max) {
            ++counters_.refused;
            turn_away(
                socket,
                protocol::ErrorCode::overloaded,
                std::to_string(options_.limits.connections_max) + " connections are open already"
            );
            return false;
        }
        return true;
    }

    void wait_for_connections(std::uint64_t at_most_ms) const {
        auto const deadline = std::chrono::steady_clock::now() +
                              std::chrono::milliseconds{static_cast<std::int64_t>(at_most_ms)};
        while (counters_.connections > 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
    }

    ServerOptions options_;
    ledger::Ledger& ledger_;
    Counters counters_;
    SocketFile socket_file_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::optional<local::acceptor> local_;
    std::optional<tcp::acceptor> tcp_;
    bool accepting_stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, ledger::Ledger& ledger) {
    auto server = std::make_unique<LedgerServer>(std::move(options), ledger);
    FLORIN_TRY_VOID(server->start());
    return server;
}

}  // namespace florin::ledger_server

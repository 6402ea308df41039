// A connection is two coroutines on one thread: the reader takes frames in and hands requests to
// the ledger, the writer sends answers in the order of the requests. Between them is a queue of at
// most in_flight_max slots; while it is full, nothing is read, and the client's own writes stop.
//
// A request's body is read straight into the vector that the ledger decides on, and an answer is
// one gathering write of its header and the array that the ledger made.
#include "daemon/ledger_server/session.h"

#include "crypto/hmac.h"
#include "daemon/log/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <deque>
#include <utility>

namespace florin::ledger_server {
namespace {

namespace asio = boost::asio;
namespace protocol = ledger::protocol;
using boost::system::error_code;
using protocol::AnswerFrame;
using protocol::ErrorCode;
using protocol::FrameHeader;
using protocol::Operation;
using protocol::Refusal;
using LocalSocket = asio::local::stream_protocol::socket;
using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;
using Time = std::chrono::steady_clock::time_point;

constexpr std::uint64_t kLingerMs = 500;
constexpr std::size_t kScratchBytes = 16U << 10U;

// The error that tells a client what the ledger's own means for its request.
ErrorCode error_of(Errc code) {
    if (code == Errc::overloaded) {
        return ErrorCode::overloaded;
    }
    if (code == Errc::closed) {
        return ErrorCode::closing;
    }
    bool const is_request = code == Errc::unsupported || code == Errc::out_of_range;
    return is_request ? ErrorCode::malformed : ErrorCode::failed;
}

template <class Stream>
class Session final : public AnySession, public std::enable_shared_from_this<Session<Stream>> {
public:
    static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

    Session(Stream stream, Lane& lane)
        : lane_{lane},
          limits_{lane.options.limits},
          stream_{std::move(stream)},
          slot_free_{lane.context, Time::max()},
          slot_ready_{lane.context, Time::max()},
          watch_{lane.context, Time::max()} {
        lane_.sessions.insert(this);
    }
    ~Session() override {
        lane_.sessions.erase(this);
        --lane_.counters.connections;
    }

    void start() {
        auto const self = this->shared_from_this();
        auto const ended = [self](std::exception_ptr const& thrown) {
            self->coroutine_ended(thrown);
        };
        asio::co_spawn(lane_.context, watch(self), ended);
        asio::co_spawn(lane_.context, read(self), ended);
        asio::co_spawn(lane_.context, write(self), ended);
        if (lane_.stopping) {
            stop();
        }
    }

    void stop() override { stop_reading("florind is stopping"); }

private:
    // A request that has been read, in its place among the answers.
    struct Slot {
        FrameHeader request;
        std::optional<AnswerFrame> answer;
    };

    // On its way through the ledger thread.
    class LedgerRequest final : public ledger::PendingRequest {
    public:
        LedgerRequest(
            ledger::Request wanted, std::shared_ptr<Session> session, std::uint64_t number
        )
            : PendingRequest{std::move(wanted)}, session_{std::move(session)}, number_{number} {}
        void answer(Result<ledger::Answer> given) override {
            auto& context = session_->lane_.context;
            auto deliver =
                [session = std::move(session_), number = number_, result = std::move(given)](
                ) mutable { session->take_answer(number, std::move(result)); };
            asio::post(context, std::move(deliver));
        }

    private:
        std::shared_ptr<Session> session_;  // let go on its own thread only
        std::uint64_t number_;
    };

    // Out of memory, most likely: this connection ends, the others go on.
    void coroutine_ended(std::exception_ptr const& thrown) {
        if (!thrown) {
            return;
        }
        try {
            std::rethrow_exception(thrown);
        } catch (std::exception const& error) {
            log::error("ledger_server.session_failed", {{"what", error.what()}});
        }
        reading_ended_ = true;
        ended_ = true;
        break_off();
        watch_.cancel();
    }

    // ---- the reader ----

    asio::awaitable<void> read(std::shared_ptr<Session> self) {
        set_deadline(read_deadline_, limits_.handshake_ms);
        bool goes_on = co_await handshake();
        if (goes_on) {
            goes_on = co_await take_hello();
        }
        while (goes_on) {
            goes_on = co_await take_frame();
        }
        read_deadline_ = Time::max();
        if (!why_stopped_.empty() && !is_broken_) {
            // Unasked: it belongs to no request.
            FrameHeader none;
            none.version = version_;
            add_slot(none);
            refuse(slots_.back(), ErrorCode::closing, why_stopped_);
        }
        reading_ended_ = true;
        slot_ready_.cancel();
        self.reset();
    }

    asio::awaitable<bool> handshake() {
        if constexpr (kIsTls) {
            error_code error;
            auto token = asio::redirect_error(asio::use_awaitable, error);
            co_await stream_.async_handshake(asio::ssl::stream_base::server, token);
            if (error) {
                ++lane_.counters.refused;
                why_stopped_.clear();
                break_off();
                co_return false;
            }
        }
        co_return true;
    }

    // A header's bytes; nullopt: the connection ended, or what came is no header, which is told.
    asio::awaitable<std::optional<FrameHeader>> read_frame_header(bool is_hello) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        std::array<char, sizeof(FrameHeader)> bytes{};
        auto const first = asio::buffer(bytes);
        is_waiting_ = true;
        std::size_t const count = co_await stream_.async_read_some(first, token);
        is_waiting_ = false;
        if (error) {
            co_return std::nullopt;
        }
        if (!is_hello) {
            set_deadline(read_deadline_, limits_.request_ms);
        }
        auto const rest = first + count;
        co_await asio::async_read(stream_, rest, token);
        if (error) {
            co_return std::nullopt;
        }
        auto header = protocol::read_header({bytes.data(), bytes.size()});
        if (!header) {
            FrameHeader none;
            none.version = version_;
            add_slot(none);
            end_with(slots_.back(), ErrorCode::malformed, header.error().context);
            co_return std::nullopt;
        }
        co_return *header;
    }

    asio::awaitable<bool> read_bytes(std::span<char> into) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        auto const space = asio::buffer(into.data(), into.size());
        co_await asio::async_read(stream_, space, token);
        co_return !error;
    }

    asio::awaitable<bool> skip(std::size_t count) {
        std::array<char, kScratchBytes> scratch;
        while (count > 0) {
            std::span<char> const piece{scratch.data(), std::min(count, scratch.size())};
            if (!co_await read_bytes(piece)) {
                co_return false;
            }
            count -= piece.size();
        }
        co_return true;
    }

    asio::awaitable<bool> take_hello() {
        auto const header = co_await read_frame_header(true);
        if (!header) {
            co_return false;
        }
        if (header->operation != static_cast<std::uint16_t>(Operation::hello) ||
            header->version != protocol::kHelloVersion ||
            header->body_length != sizeof(protocol::Hello)) {
            add_slot(*header);
            end_with(
                slots_.back(),
                ErrorCode::unauthenticated,
                "a connection begins with a hello of version " +
                    std::to_string(protocol::kHelloVersion)
            );
            co_return false;
        }
        std::array<char, sizeof(protocol::Hello)> body{};
        if (!co_await read_bytes(body)) {
            co_return false;
        }
        add_slot(*header);
        auto const hello = protocol::read_hello(*header, {body.data(), body.size()});
        if (!hello) {
            end_with(slots_.back(), hello.error().code, hello.error().text);
            co_return false;
        }
        auto const version = protocol::agree_on_version(*hello);
        if (!version) {
            end_with(slots_.back(), version.error().code, version.error().text);
            co_return false;
        }
        if (!is_authentic(*hello)) {
            ++lane_.counters.refused;
            log::warn("ledger_server.refused", {{"why", "wrong token"}});
            end_with(slots_.back(), ErrorCode::unauthenticated, "the token is not the right one");
            co_return false;
        }
        version_ = *version;
        is_open_ = true;
        answer(slots_.back(), AnswerFrame::of(*header, hello_answer()));
        co_return true;
    }

    // The socket's file mode and the peer's uid have said who it is; a port is open to everybody.
    bool is_authentic(protocol::Hello const& hello) const {
        if constexpr (kIsTls) {
            auto const digest = crypto::sha256({hello.token.data(), hello.token_length});
            bool is_known = false;
            for (auto const& token : lane_.options.tokens_sha256) {
                is_known |= crypto::equal_constant_time(view(digest), view(token));
            }
            return hello.token_length >= protocol::kTokenBytesMin && is_known;
        }
        return true;
    }

    protocol::HelloAnswer hello_answer() const {
        protocol::HelloAnswer answer;
        answer.version = version_;
        answer.events_max = ledger::kBatchEventsMax;
        answer.body_bytes_max = protocol::kBodyBytesMax;
        answer.in_flight_max = static_cast<std::uint32_t>(limits_.in_flight_max);
        answer.ledger_id = lane_.ledger.id();
        auto const& software = lane_.options.software;
        std::copy_n(
            software.begin(),
            std::min(software.size(), answer.software.size()),
            answer.software.begin()
        );
        return answer;
    }

    // False: the connection is over.
    asio::awaitable<bool> take_frame() {
        read_deadline_ = Time::max();
        while (slots_.size() >= limits_.in_flight_max && !is_broken_) {
            error_code ignored;
            auto token = asio::redirect_error(asio::use_awaitable, ignored);
            co_await slot_free_.async_wait(token);
        }
        if (is_broken_ || !why_stopped_.empty()) {
            co_return false;
        }
        set_deadline(read_deadline_, limits_.idle_ms);
        auto const header = co_await read_frame_header(false);
        if (!header) {
            co_return false;
        }
        if (header->version != version_) {
            add_slot(*header);
            end_with(
                slots_.back(),
                ErrorCode::unsupported_version,
                "version " + std::to_string(header->version) + " in a connection of version " +
                    std::to_string(version_)
            );
            co_return false;
        }
        // The body of a request that is refused is passed over, where its length can be believed.
        auto const refusal = protocol::check_request(*header);
        std::size_t const passed_over =
            refusal && !refusal->ends_connection ? header->body_length : 0;
        if (!co_await skip(passed_over)) {
            co_return false;
        }
        if (refusal) {
            add_slot(*header);
            refuse_request(*refusal);
            co_return !refusal->ends_connection;
        }
        if (header->operation == static_cast<std::uint16_t>(Operation::head)) {
            ++lane_.counters.requests;
            add_slot(*header);
            answer(slots_.back(), AnswerFrame::of(*header, head()));
            co_return true;
        }
        protocol::RequestBody body{*header};
        if (!co_await read_bytes(body.space())) {
            co_return false;
        }
        ++lane_.counters.requests;
        lane_.counters.events += header->count;
        auto request = std::move(body).take(*header);
        add_slot(*header);
        if (!request) {
            refuse(slots_.back(), request.error().code, request.error().text);
            co_return true;
        }
        lane_.ledger.submit(std::make_unique<LedgerRequest>(
            std::move(*request), this->shared_from_this(), first_number_ + slots_.size() - 1
        ));
        co_return true;
    }

    protocol::Head head() const {
        auto const position = lane_.ledger.head();
        protocol::Head head;
        head.sequence = position.sequence;
        head.hash = position.hash;
        return head;
    }

    // ---- the slots ----

    void add_slot(FrameHeader const& request) {
        slots_.push_back({.request = request, .answer = std::nullopt});
    }
    void answer(Slot& slot, AnswerFrame frame) {
        slot.answer = std::move(frame);
        slot_ready_.cancel();
    }
    void refuse(Slot& slot, ErrorCode code, std::string text) {
        ++lane_.counters.errors;
        answer(slot, AnswerFrame::refusal(slot.request, code, std::move(text)));
    }
    // The youngest request.
    void refuse_request(Refusal const& refusal) {
        if (refusal.ends_connection) {
            end_with(slots_.back(), refusal.code, refusal.text);
        } else {
            refuse(slots_.back(), refusal.code, refusal.text);
        }
    }
    // The client's bytes can be trusted no longer: told, then closed.
    void end_with(Slot& slot, ErrorCode code, std::string text) {
        why_stopped_.clear();
        lingers_ = true;
        refuse(slot, code, std::move(text));
    }
    // From the ledger, on this connection's thread.
    void take_answer(std::uint64_t number, Result<ledger::Answer> given) {
        Slot& slot = slots_[number - first_number_];
        if (given) {
            answer(slot, AnswerFrame::of(slot.request, std::move(*given)));
        } else {
            refuse(slot, error_of(given.error().code), std::move(given.error().context));
        }
    }

    // ---- the writer ----

    asio::awaitable<void> write(std::shared_ptr<Session> self) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        for (;;) {
            if (slots_.empty() || !slots_.front().answer) {
                if (slots_.empty() && reading_ended_) {
                    break;
                }
                co_await slot_ready_.async_wait(token);
                continue;
            }
            if (!is_broken_) {
                AnswerFrame const& frame = *slots_.front().answer;
                auto const body = frame.body();
                std::array<asio::const_buffer, 2> const pieces{
                    asio::buffer(&frame.header(), sizeof(FrameHeader)),
                    asio::buffer(body.data(), body.size())
                };
                set_deadline(write_deadline_, limits_.write_ms);
                co_await asio::async_write(stream_, pieces, token);
                write_deadline_ = Time::max();
                if (error) {
                    break_off();
                }
            }
            slots_.pop_front();
            ++first_number_;
            slot_free_.cancel();
            if (slots_.empty() && is_waiting_ && is_open_) {
                set_deadline(read_deadline_, limits_.idle_ms);  // idle from here on
            }
        }
        if (!is_broken_) {
            co_await say_goodbye();
        }
        break_off();
        ended_ = true;
        watch_.cancel();
        self.reset();
    }

    // What the client still sends is read and dropped for a moment, so that it gets to see the
    // last answer instead of a reset.
    asio::awaitable<void> say_goodbye() {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        set_deadline(write_deadline_, kLingerMs);
        if constexpr (kIsTls) {
            if (!lingers_) {
                co_await stream_.async_shutdown(token);
                co_return;
            }
        }
        socket().shutdown(LocalSocket::shutdown_send, error);
        std::array<char, kScratchBytes> dropped;
        auto const space = asio::buffer(dropped);
        for (int i = 0; lingers_ && i < 512 && !error; ++i) {
            co_await socket().async_read_some(space, token);
        }
    }

    // ---- deadlines and ends ----

    auto& socket() {
        if constexpr (kIsTls) {
            return stream_.next_layer();
        } else {
            return stream_;
        }
    }

    void stop_reading(std::string why) {
        if (why_stopped_.empty()) {
            why_stopped_ = std::move(why);
        }
        // A shut-down socket ends the read that waits on it.
        error_code ignored;
        socket().shutdown(LocalSocket::shutdown_receive, ignored);
        slot_free_.cancel();
    }

    void break_off() {
        is_broken_ = true;
        error_code ignored;
        socket().close(ignored);
        slot_free_.cancel();
        slot_ready_.cancel();
    }

    void set_deadline(Time& deadline, std::uint64_t count) {
        auto const wait = std::chrono::milliseconds{static_cast<std::int64_t>(count)};
        deadline = std::chrono::steady_clock::now() + wait;
        if (deadline < watch_.expiry()) {
            watch_.cancel();
        }
    }

    asio::awaitable<void> watch(std::shared_ptr<Session> self) {
        error_code ignored;
        auto token = asio::redirect_error(asio::use_awaitable, ignored);
        while (!ended_) {
            watch_.expires_at(std::min(read_deadline_, write_deadline_));
            co_await watch_.async_wait(token);
            auto const now = std::chrono::steady_clock::now();
            if (write_deadline_ <= now) {
                write_deadline_ = Time::max();
                break_off();
            }
            if (read_deadline_ <= now) {
                late();
            }
        }
        self.reset();
    }

    void late() {
        read_deadline_ = Time::max();
        if (!is_open_) {
            break_off();  // no hello yet: nothing is owed
        } else if (is_waiting_ && !slots_.empty()) {
            set_deadline(read_deadline_, limits_.idle_ms);  // it waits for us
        } else {
            stop_reading(is_waiting_ ? "no request for too long" : "the request came too slowly");
        }
    }

    Lane& lane_;
    ServerLimits const& limits_;
    Stream stream_;
    std::deque<Slot> slots_;          // in the order of the requests; the first is answered first
    std::uint64_t first_number_ = 0;  // of slots_.front()
    std::uint16_t version_ = protocol::kHelloVersion;
    bool is_open_ = false;           // the hello was answered
    asio::steady_timer slot_free_;   // cancelled to wake the reader
    asio::steady_timer slot_ready_;  // cancelled to wake the writer
    asio::steady_timer watch_;
    Time read_deadline_ = Time::max();
    Time write_deadline_ = Time::max();
    std::string why_stopped_;  // told to the client; empty: it went by itself
    bool is_waiting_ = false;  // for the first byte of a frame
    bool reading_ended_ = false;
    bool is_broken_ = false;  // nothing can be written any more
    bool lingers_ = false;    // the client may be in the middle of a frame
    bool ended_ = false;
};

}  // namespace

void start_session(LocalSocket socket, Lane& lane) {
    std::make_shared<Session<LocalSocket>>(std::move(socket), lane)->start();
}

void start_session(asio::ip::tcp::socket socket, Lane& lane) {
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay{true}, ignored);
    TlsStream stream{std::move(socket), *lane.options.tls};
    std::make_shared<Session<TlsStream>>(std::move(stream), lane)->start();
}

}  // namespace florin::ledger_server

#include "tools/banksim/host.h"

#include "connectors/iso8583/codec_framing.h"
#include "crypto/random.h"
#include "ledger/base/check.h"
#include "tools/banksim/control.h"
#include "tools/banksim/dialect.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <deque>
#include <iostream>
#include <optional>
#include <set>
#include <utility>

namespace florin::banksim {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using connectors::iso8583::add_element;
using connectors::iso8583::decode;
using connectors::iso8583::element;
using connectors::iso8583::encode;
using connectors::iso8583::frame;
using connectors::iso8583::FrameReader;
using connectors::iso8583::MacKeys;
using connectors::iso8583::MacOptions;
using connectors::iso8583::Packaging;
using connectors::iso8583::wants_answer;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kControlLineBytesMax = 65'536;

// A connection's outgoing bytes: one writer, in order.
struct Connection {
    Connection(tcp::socket taken, Packaging const& packaging, MacOptions const& mac)
        : socket{std::move(taken)}, wake{socket.get_executor()}, frames{packaging}, keys{mac} {
        // Else an answer may wait 40 ms for the acknowledgement of the one before it.
        boost::system::error_code ignored;
        ignored = socket.set_option(tcp::no_delay{true}, ignored);
    }

    void send(std::string bytes) {
        out.push_back(std::move(bytes));
        wake.cancel();
    }
    void close() {
        open = false;
        boost::system::error_code ignored;
        ignored = socket.close(ignored);
        wake.cancel();
    }

    tcp::socket socket;
    asio::steady_timer wake;
    FrameReader frames;
    std::deque<std::string> out;
    MacKeys keys;
    std::optional<KeyBytes> offered;  // sent; counts when the other side has taken it
    bool open = true;
    bool is_control = false;
};

// host:port, both numeric.
Result<tcp::endpoint> parse_address(std::string const& text) {
    auto const colon = text.rfind(':');
    std::uint16_t port = 0;
    boost::system::error_code error;
    if (colon == std::string::npos) {
        return fail(Errc::malformed, "not an address with a port: " + text);
    }
    auto const address = asio::ip::make_address(text.substr(0, colon), error);
    auto const* const last = text.data() + text.size();
    auto const [end, status] = std::from_chars(text.data() + colon + 1, last, port);
    if (error || status != std::errc{} || end != last) {
        return fail(Errc::malformed, "not an address with a port: " + text);
    }
    return tcp::endpoint{address, port};
}

}  // namespace

class Host::State : public std::enable_shared_from_this<State> {
public:
    State(
        asio::io_context& context, Book& book, Faults& faults, Packaging packaging, MacOptions mac
    )
        : context_{context},
          book_{book},
          faults_{faults},
          packaging_{std::move(packaging)},
          mac_{std::move(mac)},
          bank_{context},
          control_{context} {}

    Result<std::string> listen(std::string const& address, bool is_control) {
        FLORIN_TRY(auto const endpoint, parse_address(address));
        auto& acceptor = is_control ? control_ : bank_;
        boost::system::error_code error;
        error = acceptor.open(endpoint.protocol(), error);
        if (!error) {
            error = acceptor.set_option(asio::socket_base::reuse_address{true}, error);
            error = acceptor.bind(endpoint, error);
        }
        if (!error) {
            error = acceptor.listen(asio::socket_base::max_listen_connections, error);
        }
        if (error) {
            return fail(Errc::io, "cannot listen on " + address + ": " + error.message());
        }
        spawn(accept_loop(shared_from_this(), is_control));
        auto const bound = acceptor.local_endpoint();
        return bound.address().to_string() + ":" + std::to_string(bound.port());
    }

    // Sends each link a new key; it counts when the link has answered.
    std::size_t offer_keys() {
        std::size_t links = 0;
        for (auto const& connection : connections_) {
            if (connection->is_control || !connection->keys.takes_exchange()) {
                continue;
            }
            auto key = new_key();
            auto const sent = send_key(*connection, key);
            if (!sent) {
                std::cerr << "florin-banksim: " << to_string(sent.error()) << std::endl;
                continue;
            }
            connection->offered = std::move(key);
            ++links;
        }
        return links;
    }

    void stop() {
        boost::system::error_code ignored;
        ignored = bank_.close(ignored);
        ignored = control_.close(ignored);
        auto const connections = connections_;
        for (auto const& connection : connections) {
            connection->close();
        }
    }

private:
    using ConnectionPtr = std::shared_ptr<Connection>;

    // A message whose answer waits for the group's commit.
    struct Booked {
        Fate fate;
        std::string bytes;  // the answer, framed
    };

    void spawn(asio::awaitable<void> work) {
        asio::co_spawn(context_, std::move(work), [](std::exception_ptr const& thrown) {
            FLORIN_CHECK(!thrown, "the bank's coroutine let an exception out");
        });
    }

    static asio::awaitable<void> accept_loop(std::shared_ptr<State> self, bool is_control) {
        auto& acceptor = is_control ? self->control_ : self->bank_;
        while (acceptor.is_open()) {
            auto [error, socket] = co_await acceptor.async_accept(kAwait);
            if (error) {
                continue;
            }
            auto const connection =
                std::make_shared<Connection>(std::move(socket), self->packaging_, self->mac_);
            connection->is_control = is_control;
            self->connections_.insert(connection);
            self->spawn(write_loop(connection));
            if (is_control) {
                self->spawn(control_loop(self, connection));
            } else {
                self->spawn(read_loop(self, connection));
            }
        }
    }

    static asio::awaitable<void> write_loop(ConnectionPtr connection) {
        while (connection->open) {
            if (connection->out.empty()) {
                connection->wake.expires_at(std::chrono::steady_clock::time_point::max());
                co_await connection->wake.async_wait(kAwait);
                continue;
            }
            auto const bytes = std::move(connection->out.front());
            connection->out.pop_front();
            auto const buffer = asio::buffer(bytes);
            auto [error, count] = co_await asio::async_write(connection->socket, buffer, kAwait);
            if (error) {
                connection->close();
            }
        }
    }

    static asio::awaitable<void> control_loop(
        std::shared_ptr<State> self, ConnectionPtr connection
    ) {
        std::string buffer;
        while (connection->open) {
            auto const space = asio::dynamic_buffer(buffer, kControlLineBytesMax);
            auto [error, count] =
                co_await asio::async_read_until(connection->socket, space, '\n', kAwait);
            if (error) {
                break;
            }
            auto const change_keys = [&self] { return self->offer_keys(); };
            connection->send(control(
                std::string_view{buffer}.substr(0, count), self->book_, self->faults_, change_keys
            ));
            buffer.erase(0, count);
        }
        connection->close();
        self->connections_.erase(connection);
    }

    static asio::awaitable<void> read_loop(std::shared_ptr<State> self, ConnectionPtr connection) {
        std::array<char, 16'384> buffer{};
        while (connection->open) {
            auto const space = asio::buffer(buffer);
            auto [error, count] = co_await connection->socket.async_read_some(space, kAwait);
            if (error) {
                break;
            }
            connection->frames.feed(ByteView{buffer.data(), count});
            explicit_bzero(buffer.data(), count);
            if (auto const taken = self->take_frames(connection); !taken) {
                std::cerr << "florin-banksim: " << to_string(taken.error()) << std::endl;
                break;
            }
        }
        connection->close();
        self->connections_.erase(connection);
    }

    // Books what has arrived whole, in one group, and sends the answers.
    Result<void> take_frames(ConnectionPtr const& connection) {
        std::vector<std::pair<Message, Fate>> requests;
        while (true) {
            FLORIN_TRY(auto const bytes, connection->frames.next());
            if (!bytes) {
                break;
            }
            FLORIN_TRY(auto message, decode(*bytes, packaging_));
            if (!has_good_mac(*connection, *bytes, message)) {
                continue;
            }
            if (!wants_answer(message.mti())) {
                take_answer(*connection, message);
                continue;
            }
            auto const fate = faults_.fate_of(to_1987(message));
            if (fate.is_lost) {
                continue;
            }
            if (fate.delay_ms > 0) {
                if (!fate.refuse_first.empty()) {
                    Fate refused;
                    refused.refuse_first = fate.refuse_first;
                    requests.emplace_back(message, refused);
                }
                spawn(delayed(shared_from_this(), connection, std::move(message), fate));
                continue;
            }
            requests.emplace_back(std::move(message), fate);
        }
        return book_and_answer(connection, requests);
    }

    static asio::awaitable<void> delayed(
        std::shared_ptr<State> self, ConnectionPtr connection, Message message, Fate fate
    ) {
        asio::steady_timer timer{self->context_, std::chrono::milliseconds{fate.delay_ms}};
        co_await timer.async_wait(kAwait);
        fate.refuse_first.clear();
        std::vector<std::pair<Message, Fate>> requests;
        requests.emplace_back(std::move(message), fate);
        if (auto const booked = self->book_and_answer(connection, requests); !booked) {
            std::cerr << "florin-banksim: " << to_string(booked.error()) << std::endl;
            connection->close();
        }
    }

    static asio::awaitable<void> send_late(
        std::shared_ptr<State> self, ConnectionPtr connection, Booked booked
    ) {
        asio::steady_timer timer{self->context_, std::chrono::milliseconds{booked.fate.late_ms}};
        co_await timer.async_wait(kAwait);
        send(connection, booked);
    }

    // Half of an answer, and then nothing any more.
    static asio::awaitable<void> tear(
        std::shared_ptr<State> self, ConnectionPtr connection, std::string answer
    ) {
        constexpr auto kOnItsWay = std::chrono::milliseconds{5};
        connection->send(answer.substr(0, answer.size() / 2));
        asio::steady_timer timer{self->context_, kOnItsWay};
        co_await timer.async_wait(kAwait);
        connection->close();
    }

    static void send(ConnectionPtr const& connection, Booked const& booked) {
        if (booked.fate.is_garbage) {
            // A frame of the right length around bytes that say nothing.
            constexpr std::size_t kFrameLengthBytesMax = 4;
            std::string bytes = booked.bytes;
            for (std::size_t i = kFrameLengthBytesMax; i < bytes.size(); ++i) {
                bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
            }
            connection->send(std::move(bytes));
            return;
        }
        connection->send(booked.bytes);
        if (booked.fate.is_duplicated) {
            connection->send(booked.bytes);
        }
    }

    // ISO 8583:1987 field 70 = 101, ISO 8583:1993 field 24 = 811.
    bool is_key_exchange(Message const& message) const {
        return message.mti()[1] == '8' &&
               (packaging_.version == "1993" ? message.get(24) == "811" : message.get(70) == "101");
    }

    bool has_good_mac(Connection const& connection, ByteView bytes, Message const& message) const {
        auto const check = connection.keys.check(
            bytes,
            message,
            packaging_,
            connection.keys.wants_exchange(),
            std::chrono::steady_clock::now()
        );
        if (check == MacKeys::Check::good) {
            return true;
        }
        std::cerr << "florin-banksim: " << message.mti() << ": its MAC is "
                  << (check == MacKeys::Check::missing ? "missing" : "wrong") << std::endl;
        return false;
    }

    // As long as the key-encryption key, but the two parts of X9.19.
    KeyBytes new_key() {
        using crypto::MacAlgorithm;
        std::size_t const size =
            mac_.algorithm == MacAlgorithm::x919 ? 16 : mac_.key_encryption_key.size();
        auto bytes = crypto::random_bytes<32>(random_);
        KeyBytes key{std::string_view{reinterpret_cast<char const*>(bytes.data()), size}};
        explicit_bzero(bytes.data(), bytes.size());
        return key;
    }

    // The key that answers this request, where it asks for one.
    std::optional<KeyBytes> key_for(Connection const& connection, Message const& request) {
        if (!connection.keys.takes_exchange() || !is_key_exchange(request)) {
            return std::nullopt;
        }
        return new_key();
    }

    Result<void> send_key(Connection& connection, KeyBytes const& key) {
        bool const is_1993 = packaging_.version == "1993";
        Message request{is_1993 ? "1804" : "0800"};
        auto const now = book_.transmission_time();
        request.set(7, now);
        request.set_stan(++stan_ % 999'999 + 1);
        if (is_1993) {
            request.set(12, book_.business_date().substr(2, 2) + now);
        }
        request.set(is_1993 ? 24 : 70, is_1993 ? "811" : "101");
        FLORIN_TRY(auto const block, connection.keys.block_of(key));
        FLORIN_TRY_VOID(add_element(request, packaging_.elements.key_block, block));
        FLORIN_TRY(auto const bytes, connection.keys.encode(request, packaging_));
        FLORIN_TRY(auto framed, frame(bytes, packaging_));
        connection.send(std::move(framed));
        return {};
    }

    // Answers come to nothing but offered keys.
    void take_answer(Connection& connection, Message const& answer) const {
        std::string_view const accepted = packaging_.version == "1993" ? "800" : "00";
        if (connection.offered && is_key_exchange(answer)) {
            if (answer.get(39) == accepted) {
                connection.keys.install(
                    std::move(*connection.offered), std::chrono::steady_clock::now()
                );
            }
            connection.offered.reset();
        }
    }

    Presented presented_in(Message const& request) const {
        auto const& places = packaging_.elements;
        auto const read = [&](connectors::iso8583::ElementPlace const& place) {
            return std::string{element(request, place)};
        };
        // Nobody keeps cryptograms: enough of it to see which one came.
        std::string cryptogram = read(places.cryptogram);
        if (cryptogram.size() > 8) {
            cryptogram.replace(4, cryptogram.size() - 8, "...");
        }
        return {
            .rrn = {},
            .electronic_commerce_indicator = read(places.electronic_commerce_indicator),
            .cryptogram = std::move(cryptogram),
            .three_d_secure_version = read(places.three_d_secure_version),
            .three_d_secure_transaction = read(places.three_d_secure_transaction),
            .credential_use = read(places.credential_use),
            .original_network_transaction = read(places.original_network_transaction),
            .condition = {},
        };
    }

    // As a network does: what later payments with the same card name this one by. The same for
    // every repeat.
    Result<void> name_transaction(Message& answer) const {
        bool const is_approved = answer.get(39) == "00" || answer.get(39) == "10";
        if (answer.mti() != "0110" || !is_approved) {
            return {};
        }
        std::string const id =
            "BS" + std::string{answer.get(7).substr(0, 8)} + std::string{answer.get(11)};
        return add_element(answer, packaging_.elements.network_transaction, id);
    }

    Result<std::vector<Booked>> book(
        Connection& connection, std::vector<std::pair<Message, Fate>> const& requests
    ) {
        std::vector<Booked> answers;
        FLORIN_TRY_VOID(book_.begin());
        for (auto const& [request, fate] : requests) {
            FLORIN_TRY(
                auto answer,
                book_.answer(
                    to_1987(request),
                    Forced{
                        .decline = fate.decline,
                        .refusal = fate.refuse_first,
                        .partial_minor = fate.partial_minor,
                        .forgets_reversal = fate.forgets_reversal,
                        .off_minor = fate.off_minor,
                    },
                    presented_in(request)
                )
            );
            FLORIN_TRY_VOID(name_transaction(answer));
            answer = answer_in_version_of(request, std::move(answer), book_.transmission_time());
            auto const key = key_for(connection, request);
            if (key) {
                FLORIN_TRY(auto const block, connection.keys.block_of(*key));
                FLORIN_TRY_VOID(add_element(answer, packaging_.elements.key_block, block));
            }
            FLORIN_TRY(auto bytes, connection.keys.encode(answer, packaging_));
            if (fate.breaks_mac && !connection.keys.wants_exchange() && connection.keys.is_used()) {
                bytes.back() = static_cast<char>(bytes.back() ^ 1);  // the MAC is last
            }
            if (key) {
                connection.keys.install(*key, std::chrono::steady_clock::now());
            }
            FLORIN_TRY(auto framed, frame(bytes, packaging_));
            answers.push_back(Booked{.fate = fate, .bytes = std::move(framed)});
        }
        // Durable before the first answer leaves.
        FLORIN_TRY_VOID(book_.commit());
        return answers;
    }

    Result<void> book_and_answer(
        ConnectionPtr const& connection, std::vector<std::pair<Message, Fate>> const& requests
    ) {
        if (requests.empty()) {
            return {};
        }
        auto const booking = book(*connection, requests);
        if (!booking) {
            book_.roll_back();
            return std::unexpected{booking.error()};
        }
        auto const& answers = *booking;
        for (auto const& booked : answers) {
            if (booked.fate.disconnects) {
                connection->close();
                return {};
            }
            if (booked.fate.is_silent) {
                continue;
            }
            if (booked.fate.is_torn) {
                spawn(tear(shared_from_this(), connection, booked.bytes));
                continue;
            }
            if (booked.fate.late_ms > 0) {
                spawn(send_late(shared_from_this(), connection, booked));
            } else {
                send(connection, booked);
            }
        }
        return {};
    }

    asio::io_context& context_;
    Book& book_;
    Faults& faults_;
    Packaging packaging_;
    MacOptions mac_;
    crypto::SystemRandom random_;
    tcp::acceptor bank_;
    tcp::acceptor control_;
    std::set<ConnectionPtr> connections_;
    std::uint32_t stan_ = 0;
};

Host::Host(
    asio::io_context& context, Book& book, Faults& faults, Packaging packaging, MacOptions mac
)
    : state_{std::make_shared<State>(context, book, faults, std::move(packaging), std::move(mac))} {
}

Host::~Host() = default;

Result<std::string> Host::listen(std::string const& address) {
    return state_->listen(address, false);
}

Result<std::string> Host::listen_control(std::string const& address) {
    return state_->listen(address, true);
}

std::size_t Host::change_keys() {
    return state_->offer_keys();
}

void Host::stop() {
    state_->stop();
}

}  // namespace florin::banksim

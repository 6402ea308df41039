#include "connectors/iso8583/link_keys.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace florin::connectors::iso8583 {

namespace asio = boost::asio;
using std::chrono::steady_clock;

LinkKeys::LinkKeys(
    asio::any_io_executor home,
    MacOptions options,
    Packaging const& packaging,
    std::string peer,
    Notice notice
)
    : home_{std::move(home)},
      keys_{std::move(options)},
      packaging_{packaging},
      peer_{std::move(peer)},
      notice_{std::move(notice)} {}

void LinkKeys::notice(std::string_view event, std::string const& text) const {
    if (notice_) {
        notice_(event, text);
    }
}

Result<std::string> LinkKeys::encode(Message const& message) const {
    return keys_.encode(message, packaging_);
}

bool LinkKeys::accepts(ByteView bytes, Message const& message) const {
    auto const check = keys_.check(bytes, message, packaging_, is_exchanging_, steady_clock::now());
    if (check == MacKeys::Check::good) {
        return true;
    }
    notice(
        "iso8583.bad_mac",
        message.mti() + (check == MacKeys::Check::missing ? ": missing" : ": wrong")
    );
    return false;
}

void LinkKeys::start_connection() {
    keys_.start_connection(steady_clock::now());
}

void LinkKeys::end_exchange() {
    is_exchanging_ = false;
    for (auto const& timer : waiting_) {
        timer->cancel();
    }
}

asio::awaitable<void> LinkKeys::wait(Time end) {
    auto const timer = std::make_shared<asio::steady_timer>(home_, end);
    waiting_.push_back(timer);
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    std::erase(waiting_, timer);
}

std::string LinkKeys::take(Message const& answer) {
    auto key = key_in(answer);
    if (!key) {
        return "the key block of the host does not open";
    }
    // One that the host sent by itself meanwhile is older than this answer.
    install(std::move(*key));
    return {};
}

std::optional<KeyBytes> LinkKeys::key_in(Message const& message) const {
    auto key = keys_.open(element(message, packaging_.elements.key_block));
    if (!key) {
        notice("iso8583.key_refused", key.error().context);
        return std::nullopt;
    }
    return std::move(*key);
}

void LinkKeys::install(KeyBytes key) {
    keys_.install(std::move(key), steady_clock::now());
    notice("iso8583.key_changed", peer_);
}

}  // namespace florin::connectors::iso8583

// Waiting, for loops that must end soon when they are told to.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace florin {

// Returns after `ms`, or within 50 ms once `stopping` is set, which outlives the wait. Thread rule:
// on the caller's executor; any thread may set `stopping`.
inline boost::asio::awaitable<void> pause_unless(
    std::atomic<bool> const& stopping, std::uint64_t ms
) {
    constexpr std::uint64_t kSliceMs = 50;
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
    for (std::uint64_t left = ms; left > 0;) {
        std::uint64_t const slice = std::min(left, kSliceMs);
        timer.expires_after(std::chrono::milliseconds{slice});
        boost::system::error_code ignored;
        auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ignored);
        co_await timer.async_wait(token);
        left = stopping ? 0 : left - slice;
    }
}

}  // namespace florin

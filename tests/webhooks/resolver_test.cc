// Who gets a thread to resolve a name, with name servers that are silent for as long as the test
// wants.
#include "daemon/webhooks/resolver.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

using namespace florin::webhooks;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using Status = Resolved::Status;

namespace {

// Hosts that begin with "silent" are not answered until release(); those that begin with "no" are
// not found.
class Names {
public:
    std::vector<asio::ip::address> look_up(std::string const& host) {
        std::unique_lock lock{mutex_};
        asked_.push_back(host);
        ++under_way_;
        changed_.notify_all();
        if (host.starts_with("silent")) {
            changed_.wait(lock, [&] { return released_; });
        }
        --under_way_;
        changed_.notify_all();
        if (host.starts_with("no")) {
            return {};
        }
        return {asio::ip::make_address("192.0.2.1")};
    }
    void release(bool released = true) {
        std::lock_guard const lock{mutex_};
        released_ = released;
        changed_.notify_all();
    }
    bool wait_for_under_way(std::size_t count) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, 20s, [&] { return under_way_ == count; });
    }
    std::size_t under_way() {
        std::lock_guard const lock{mutex_};
        return under_way_;
    }
    std::ptrdiff_t asked(std::string const& host) {
        std::lock_guard const lock{mutex_};
        return std::ranges::count(asked_, host);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> asked_;
    std::size_t under_way_ = 0;
    bool released_ = false;
};

class ResolverRig {
public:
    explicit ResolverRig(ResolverOptions options = {})
        : resolver{context.get_executor(), with(options)} {}
    ~ResolverRig() {
        names.release();
        resolver.cancel_all();
        context.restart();
        context.poll();
        resolver.close();
    }
    // The answer comes to `answers` in time.
    void ask(std::string owner, std::string host, std::chrono::milliseconds timeout = 30s) {
        asio::co_spawn(
            context, resolve(std::move(owner), std::move(host), timeout), asio::detached
        );
    }
    bool run_until_answered(std::string const& host, std::size_t count = 1) {
        context.restart();
        auto const until = std::chrono::steady_clock::now() + 20s;
        while (answers[host].size() < count && std::chrono::steady_clock::now() < until) {
            context.run_one_for(10ms);
        }
        return answers[host].size() >= count;
    }
    // Whatever was asked is with a thread, or waits for one.
    void run_ready() {
        context.restart();
        context.poll();
    }
    void run_for(std::chrono::milliseconds length) {
        context.restart();
        context.run_for(length);
    }

    asio::io_context context;
    Names names;
    Resolver resolver;
    std::map<std::string, std::vector<Status>> answers;

private:
    ResolverOptions with(ResolverOptions options) {
        options.lookup = [this](std::string const& host) { return names.look_up(host); };
        return options;
    }
    asio::awaitable<void> resolve(
        std::string owner, std::string host, std::chrono::milliseconds timeout
    ) {
        Resolved const resolved = co_await resolver.resolve(owner, host, timeout);
        CHECK((resolved.status == Status::found) == !resolved.addresses.empty());
        answers[host].push_back(resolved.status);
    }
};

}  // namespace

TEST_CASE("silent name servers of some owners delay nobody else") {
    ResolverRig rig{{.threads = 4}};
    for (int i = 0; i < 40; ++i) {
        rig.ask("one", "silent-1-" + std::to_string(i));
        rig.ask("two", "silent-2-" + std::to_string(i));
    }
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(2));  // one for each, not all four
    for (int i = 0; i < 20; ++i) {
        std::string const host = "shop-" + std::to_string(i);
        rig.ask("three", host);
        REQUIRE(rig.run_until_answered(host));
        CHECK(rig.answers[host].front() == Status::found);
    }
    CHECK(rig.names.under_way() == 2);
}

TEST_CASE("who was slow does not get the threads that others need") {
    ResolverRig rig{{.threads = 4, .slow_after = 50ms}};
    for (int i = 0; i < 4; ++i) {
        rig.ask("slow-" + std::to_string(i), "silent-" + std::to_string(i));
    }
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(4));  // nobody knows them yet
    rig.run_for(60ms);
    rig.names.release();
    for (int i = 0; i < 4; ++i) {
        REQUIRE(rig.run_until_answered("silent-" + std::to_string(i)));
    }
    rig.names.release(false);
    for (int i = 0; i < 4; ++i) {
        rig.ask("slow-" + std::to_string(i), "silent-again-" + std::to_string(i));
    }
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(2));
    rig.ask("other", "shop");
    REQUIRE(rig.run_until_answered("shop"));
    // They are asked in the end, two at a time.
    rig.names.release();
    for (int i = 0; i < 4; ++i) {
        std::string const host = "silent-again-" + std::to_string(i);
        REQUIRE(rig.run_until_answered(host));
        CHECK(rig.answers[host].front() == Status::found);
    }
}

TEST_CASE("what nobody waits for any more is not asked, and says nothing about the host") {
    ResolverRig rig{{.threads = 2}};
    rig.ask("one", "silent", 30ms);
    rig.ask("one", "good", 30ms);
    REQUIRE(rig.run_until_answered("good"));
    CHECK(rig.answers["good"].front() == Status::busy);
    REQUIRE(rig.run_until_answered("silent"));
    CHECK(rig.answers["silent"].front() == Status::not_found);  // this one was asked
    rig.names.release();
    rig.ask("one", "last");
    REQUIRE(rig.run_until_answered("last"));
    CHECK(rig.answers["last"].front() == Status::found);
    CHECK(rig.names.asked("good") == 0);
    CHECK(rig.names.asked("silent") == 1);
}

TEST_CASE("a host is asked about once for all who wait, whoever they are") {
    ResolverRig rig{{.threads = 3}};
    rig.ask("one", "silent-first");
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(1));
    for (int i = 0; i < 5; ++i) {
        rig.ask("one", "silent-shared");  // waits for the thread of its owner
        rig.ask("two", "silent-shared");
    }
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(2));
    rig.ask("three", "silent-shared");
    rig.run_ready();
    rig.names.release();
    REQUIRE(rig.run_until_answered("silent-shared", 11));
    CHECK(std::ranges::count(rig.answers["silent-shared"], Status::found) == 11);
    CHECK(rig.names.asked("silent-shared") == 1);
}

TEST_CASE("that a host was not found is remembered for a while") {
    ResolverRig rig{{.not_found_kept_for = 500ms}};
    for (std::size_t i = 1; i <= 10; ++i) {
        rig.ask("one", "nowhere");
        REQUIRE(rig.run_until_answered("nowhere", i));
        CHECK(rig.answers["nowhere"].back() == Status::not_found);
        rig.ask("one", "somewhere");
        REQUIRE(rig.run_until_answered("somewhere", i));
    }
    CHECK(rig.names.asked("nowhere") < 10);
    CHECK(rig.names.asked("somewhere") == 10);
    auto const before = rig.names.asked("nowhere");
    auto const until = std::chrono::steady_clock::now() + 20s;
    for (std::size_t i = 11; rig.names.asked("nowhere") == before; ++i) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        rig.ask("one", "nowhere");
        REQUIRE(rig.run_until_answered("nowhere", i));
    }
}

TEST_CASE("who waits when everything is broken off gets no verdict") {
    ResolverRig rig{{.threads = 1}};
    rig.ask("one", "silent");
    rig.ask("two", "good");
    rig.run_ready();
    REQUIRE(rig.names.wait_for_under_way(1));
    rig.resolver.cancel_all();
    REQUIRE(rig.run_until_answered("silent"));
    REQUIRE(rig.run_until_answered("good"));
    CHECK(rig.answers["silent"].front() == Status::busy);
    CHECK(rig.answers["good"].front() == Status::busy);
    CHECK(rig.names.asked("good") == 0);
}

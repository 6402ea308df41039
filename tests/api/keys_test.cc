#include "daemon/api/keys.h"

#include "crypto/random.h"
#include "daemon/api/authorization.h"
#include "ledger/live.h"
#include "ledger/memory_state_store.h"
#include "tests/support/manual_clock.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace florin;

namespace {

// A store that tells when it was read, after it has read.
class WatchedStore final : public ledger::StateStore {
public:
    Result<std::optional<std::string>> get(ledger::Table table, ByteView key) const override {
        auto value = store_.get(table, key);
        ++reads;
        if (after_read) {
            after_read();
        }
        return value;
    }
    Result<void> scan(Range const& range, Visitor const& visit) const override {
        return store_.scan(range, visit);
    }
    Result<void> write(std::vector<ledger::Change> const& changes) override {
        return store_.write(changes);
    }
    Result<void> ingest(ledger::RunSource const& run) override { return store_.ingest(run); }
    Result<void> flush() override { return store_.flush(); }
    Result<void> verify_files() const override { return {}; }

    mutable int reads = 0;
    std::function<void()> after_read;

private:
    ledger::MemoryStateStore store_;
};

// Keys over documents that the test writes itself.
struct Rig {
    test::ManualClock clock;
    crypto::SystemRandom random;
    model::IdMaker ids{clock, random};
    WatchedStore store;
    ledger::DocumentReader reader{store};
    api::Keys keys;

    explicit Rig(std::size_t known_max = 10'000)
        : keys{{
              .documents = reader,
              .pepper = crypto::HmacSha256{KeyBytes{std::string_view{"pepper"}}},
              .clock = clock,
              .test = {.requests_per_second = 10, .burst_requests = 3, .in_flight_max = 2},
              .live = {},
              .known_max = known_max,
          }} {}

    api::NewKey make(std::string kind = "secret", std::string mode = "test") {
        model::ApiKey wanted;
        wanted.kind = std::move(kind);
        wanted.merchant = "acct_1";
        wanted.mode = std::move(mode);
        auto made = api::make_key(ids, keys.pepper(), wanted);
        put(made.document);
        return made;
    }
    void put(model::ApiKey const& document) {
        ledger::DocumentWritten const written{
            .key = model::key_of(model::Kind::api_key, api::kKeyOwner, document.id),
            .version = 1,
            .body = model::to_text(document),
        };
        auto const changes = ledger::live_changes(written, 1, 0, {});
        REQUIRE(store.write(changes).has_value());
    }
    std::shared_ptr<api::Keys::Known> find(ApiKey const& key) {
        auto found = keys.find(key);
        REQUIRE(found.has_value());
        return *found;
    }
};

ApiKey with_last(ApiKey const& key, char last) {
    std::string text{key.reveal()};
    text.back() = text.back() == last ? 'x' : last;
    return ApiKey{std::move(text)};
}

}  // namespace

TEST_CASE("a key is what its kind and mode say, and acts for its merchant") {
    Rig rig;
    struct Row {
        char const* kind;
        char const* mode;
        char const* prefix;
    };
    for (Row const& row :
         {Row{"secret", "test", "sk_test_"},
          Row{"restricted", "live", "rk_live_"},
          Row{"publishable", "test", "pk_test_"},
          Row{"admin", "live", "ak_live_"}}) {
        auto const made = rig.make(row.kind, row.mode);
        CHECK(made.key.reveal().starts_with(row.prefix));
        auto const found = rig.find(made.key);
        REQUIRE(found);
        CHECK(found->document.kind == row.kind);
        CHECK(found->owner == std::string{"acct_1/"} + row.mode);
        CHECK(found->document.hash.find(made.key.reveal().substr(20)) == std::string::npos);
    }
}

TEST_CASE("what is not exactly a key that is stored opens nothing") {
    Rig rig;
    auto const made = rig.make();
    CHECK(rig.find(made.key));
    CHECK(!rig.find(with_last(made.key, 'A')));
    CHECK(!rig.find(ApiKey{std::string_view{}}));
    CHECK(!rig.find(ApiKey{std::string_view{"sk_test_short"}}));
    std::string text{made.key.reveal()};
    text[10] = text[10] == 'a' ? 'b' : 'a';  // another id
    CHECK(!rig.find(ApiKey{text}));
    // The same id and secret under another prefix are another text, with another hash.
    CHECK(!rig.find(ApiKey{"sk_live_" + std::string{made.key.reveal().substr(8)}}));
    CHECK(!rig.find(ApiKey{"ak_test_" + std::string{made.key.reveal().substr(8)}}));
    CHECK(rig.find(made.key));
}

TEST_CASE("a key is read once, and anew as soon as it was changed") {
    Rig rig;
    auto made = rig.make();
    CHECK(rig.find(made.key));
    CHECK(rig.find(made.key));
    CHECK(rig.store.reads == 1);
    made.document.revoked = true;
    rig.put(made.document);
    rig.keys.changed(made.document.id);
    CHECK(!rig.find(made.key));
    CHECK(rig.store.reads == 2);
    CHECK(!rig.find(made.key));
    CHECK(rig.store.reads == 2);
}

TEST_CASE("what was read before a change is not kept after it") {
    Rig rig;
    auto made = rig.make();
    // Between reading the document and keeping it, somebody else revokes the key.
    rig.store.after_read = [&] {
        rig.store.after_read = {};
        made.document.revoked = true;
        rig.put(made.document);
        rig.keys.changed(made.document.id);
    };
    CHECK(rig.find(made.key));  // came first
    CHECK(!rig.find(made.key));
}

TEST_CASE("a key ends at its time, cached or not") {
    Rig rig;
    auto made = rig.make();
    made.document.expires = rig.ids.now_s() + 60;
    rig.put(made.document);
    CHECK(rig.find(made.key));
    rig.clock.advance_ms(59'000);
    CHECK(rig.find(made.key));
    rig.clock.advance_ms(1'000);
    CHECK(!rig.find(made.key));
    rig.keys.changed(made.document.id);
    CHECK(!rig.find(made.key));
}

TEST_CASE("what is kept of keys is bounded") {
    Rig rig{16};
    std::vector<api::NewKey> made;
    for (int i = 0; i < 500; ++i) {
        made.push_back(rig.make());
        CHECK(rig.find(made.back().key));
    }
    CHECK(rig.store.reads == 500);
    for (api::NewKey const& each : made) {
        CHECK(rig.find(each.key));
    }
    // At most one for each of sixteen parts was still known.
    CHECK(rig.store.reads >= 500 + 500 - 16);
}

TEST_CASE("limits are those of the mode, or the key's own; all who show a key share them") {
    Rig rig;
    auto const usual = rig.make();
    for (int i = 0; i < 3; ++i) {
        CHECK(rig.find(usual.key)->limiter.take() == 0);
    }
    CHECK(rig.find(usual.key)->limiter.take() > 0);
    auto const live = rig.make("secret", "live");
    for (int i = 0; i < 1'000; ++i) {
        CHECK(rig.find(live.key)->limiter.take() == 0);
    }
    auto own = rig.make();
    own.document.burst_requests = 1;
    own.document.in_flight_max = 1;
    rig.put(own.document);
    CHECK(rig.find(own.key)->limiter.take() == 0);
    CHECK(rig.find(own.key)->limiter.take() > 0);
    CHECK(rig.find(own.key)->limiter.enter());
    CHECK(!rig.find(own.key)->limiter.enter());
}

TEST_CASE("the Authorization header is Bearer or Basic, in any case") {
    auto const key = [](std::string_view header) {
        auto const found = api::key_from_header(header);
        return found ? std::string{found->reveal()} : std::string{"(none)"};
    };
    CHECK(key("Bearer sk_1") == "sk_1");
    CHECK(key("bEARER sk_1") == "sk_1");
    CHECK(key("Basic c2tfMTo=") == "sk_1");      // sk_1:
    CHECK(key("basic c2tfMQ==") == "sk_1");      // sk_1
    CHECK(key("Basic c2tfMTpwYXNz") == "sk_1");  // sk_1:pass
    CHECK(key("Basic OnNrXzE=").empty());        // :sk_1
    for (char const* bad :
         {"", "Bearer", "Digest sk_1", "sk_1", "Basic", "Basic !!!!", "Basic c2tfMTo", "Basicc2tf"
         }) {
        CAPTURE(bad);
        CHECK(key(bad) == "(none)");
    }
    CHECK(key("Basic " + std::string(2'000, 'A')) == "(none)");
}

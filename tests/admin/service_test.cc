#include "daemon/admin/service.h"

#include "daemon/api/keys.h"
#include "tests/flow/flow_rig.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin;
using namespace florin::admin;
using flow::test::PlainRenderer;
using flow::test::Rig;
using flow::test::ScriptedBank;
using nlohmann::json;

namespace {

using Rights = std::map<std::string, std::string>;

// The service over a real ledger, with settlement and reconciliation of test mode.
struct Office {
    ScriptedBank bank{"bank"};
    Rig rig{{&bank}, {}, false};
    SystemClock clock;
    api::Keys keys{{
        .documents = rig.client().documents(),
        .pepper = crypto::HmacSha256{KeyBytes{std::string(32, 'p')}},
        .clock = clock,
        .test = {},
        .live = {},
    }};
    KeyDesk key_desk{
        {.ledger = rig.client(), .keys = keys, .ids = rig.ids(), .merchant_resources = {"charges"}}
    };
    MerchantDesk merchant_desk{
        {.ledger = rig.client(), .merchants = rig.payments().merchants(), .ids = rig.ids()}
    };
    flow::Resolutions resolutions{rig.client(), rig.payments(), rig.ids()};
    PlainRenderer renderer;
    settlement::Settlement settlement{{
        .ledger = rig.client(),
        .ids = rig.ids(),
        .renderer = renderer,
        .mode = model::Mode::test,
        .bank_accounts = {},
        .outbox = {rig.data_dir() / "outbox", "boot"},
    }};
    recon::Reconciliation reconciliation{{
        .ledger = rig.client(),
        .take_evidence = {},
        .ids = rig.ids(),
        .mode = model::Mode::test,
        .acquirers = {},
        .bank_accounts = {},
    }};
    flow::Routing routing{{
        .ledger = rig.client(),
        .payments = rig.payments(),
        .ids = rig.ids(),
        .mode = model::Mode::test,
        .connectors = {{&bank, 10}},
    }};
    Service service{{
        .ledger = rig.client(),
        .vault = rig.vault(),
        .resolutions = resolutions,
        .ids = rig.ids(),
        .keys = keys,
        .key_desk = key_desk,
        .merchant_desk = merchant_desk,
        .background = rig.executor(),
        .modes = {{"test", {model::Mode::test, settlement, reconciliation, routing}}},
        .data_dir = rig.data_dir(),
        .version = "1.2.3",
        .started_s = rig.ids().now_s(),
        .attempts_driving = [] { return std::size_t{0}; },
    }};

    std::string key(std::string const& name, Rights rights, std::string const& kind = "admin") {
        model::ApiKey wanted;
        wanted.kind = kind;
        wanted.mode = "test";
        wanted.name = name;
        wanted.rights = std::move(rights);
        auto const made = api::make_key(rig.ids(), keys.pepper(), std::move(wanted));
        flow::Change change{api::kKeyOwner};
        change.put(made.document.id, made.document, 0);
        REQUIRE(rig.apply(std::move(change.command)) == ledger::CommandStatus::committed);
        return std::string{made.key.reveal()};
    }
    http::Response ask(
        http::Method method,
        std::string const& path,
        std::string const& with,
        std::string const& body = "{}"
    ) {
        http::Request request;
        request.method = method;
        auto const cut = path.find('?');
        request.path = path.substr(0, cut);
        request.query = cut == std::string::npos ? "" : path.substr(cut + 1);
        request.body = body;
        if (!with.empty()) {
            request.headers.emplace_back("Authorization", "Bearer " + with);
        }
        return rig.wait(service.handle(std::move(request)));
    }
    json get(std::string const& path, std::string const& with) {
        auto const response = ask(http::Method::get, path, with);
        REQUIRE_MESSAGE(response.status == 200, response.body);
        return json::parse(response.body);
    }
};

std::string code_of(http::Response const& response) {
    json const body = json::parse(response.body);
    REQUIRE(body.size() == 1);
    REQUIRE(body.at("error").size() == 2);
    CHECK_FALSE(body.at("error").at("message").get<std::string>().empty());
    return body.at("error").at("code");
}

// A path that names nothing there is.
std::string example(std::string path) {
    for (auto const& [name, value] :
         {std::pair{":mode", "test"}, {":id", "none"}, {":resolution", "rs_1"}, {":connector", "x"}
         }) {
        if (auto const at = path.find(name); at != std::string::npos) {
            path.replace(at, std::string_view{name}.size(), value);
        }
    }
    return path;
}

}  // namespace

TEST_CASE("every operation wants an admin key with the right that its row names") {
    Office office;
    std::string const nobody = office.key("Nobody", {{"nothing", "read"}});
    std::string const secret = office.key("", {}, "secret");
    for (Row const& row : all_rows()) {
        CAPTURE(row.path);
        std::string const path = example(row.path);
        auto const without = office.ask(row.method, path, "");
        CHECK(without.status == 401);
        CHECK(code_of(without) == "unauthenticated");
        CHECK(office.ask(row.method, path, secret).status == 401);
        if (row.resource.empty()) {
            continue;
        }
        auto const refused = office.ask(row.method, path, nobody);
        CHECK(refused.status == 403);
        CHECK(code_of(refused) == "forbidden");
        bool const is_write = row.access == api::Access::write;
        std::string const reader = office.key("R", {{row.resource, "read"}, {"*", "write"}});
        CHECK((office.ask(row.method, path, reader).status == 403) == is_write);
        std::string const writer = office.key("W", {{row.resource, "write"}});
        CHECK(office.ask(row.method, path, writer).status != 403);
    }
    office.service.wait();
}

TEST_CASE("a job is shown to whoever may read what it is about") {
    Office office;
    std::string const finance = office.key("F", {{"recon", "write"}});
    auto const started = office.ask(http::Method::post, "/admin/v1/test/recon/runs", finance);
    REQUIRE(started.status == 200);
    std::string const job = json::parse(started.body).at("job");
    CHECK(office.get("/admin/v1/jobs/" + job, finance).contains("state"));
    std::string const other = office.key("O", {{"settlement", "write"}});
    CHECK(office.ask(http::Method::get, "/admin/v1/jobs/" + job, other).status == 403);
    office.service.wait();
}

TEST_CASE("payments see a merchant's new terms at once, though the old ones were at hand") {
    Office office;
    auto& merchants = office.rig.payments().merchants();
    auto const fee = [&] {
        auto const terms = merchants.terms("acct_1", model::Mode::test);
        REQUIRE(terms.has_value());
        return (*terms)->fee_basis_points;
    };
    auto const before = fee();
    std::string const boss = office.key("Boss", {{"merchants", "write"}});
    std::string const body = "{\"fee_basis_points\":" + std::to_string(before + 7) + "}";
    auto const changed = office.ask(http::Method::post, "/admin/v1/merchants/acct_1", boss, body);
    REQUIRE_MESSAGE(changed.status == 200, changed.body);
    CHECK(fee() == before + 7);
}

TEST_CASE("attempts are listed over all merchants, page by page, newest first") {
    Office office;
    std::string const key = office.key("Anna", {});
    for (int i = 0; i < 5; ++i) {
        if (i == 2) {
            office.bank.script("capture", flow::test::says(connectors::Outcome::unknown));
        }
        REQUIRE(office.rig.pay(1000 + i).has_value());
    }
    // Ten: five authorisations and five captures.
    std::vector<std::string> ids;
    std::string cursor;
    for (bool more = true; more;) {
        json const page = office.get("/admin/v1/test/attempts?limit=3" + cursor, key);
        for (json const& each : page.at("attempts")) {
            ids.push_back(each.at("attempt"));
            CHECK(each.at("merchant") == "acct_1");
        }
        more = page.at("has_more");
        CHECK(page.at("next").is_string() == more);
        cursor = more ? "&starting_after=" + page.at("next").get<std::string>() : "";
    }
    CHECK(ids.size() == 10);
    CHECK(std::ranges::is_sorted(ids, std::greater{}));
    for (char const* const state : {"open", "unknown"}) {
        json const found =
            office.get(std::string{"/admin/v1/test/attempts?state="} + state, key).at("attempts");
        REQUIRE(found.size() == 1);
        CHECK(found[0].at("amount_minor") == 1002);
        CHECK(found[0].at("stan").get<std::string>().size() == 6);
    }
    for (char const* const wrong :
         {"limit=0", "limit=101", "state=closed", "merchant=acct_none", "more=1"}) {
        CAPTURE(wrong);
        auto const refused =
            office.ask(http::Method::get, std::string{"/admin/v1/test/attempts?"} + wrong, key);
        CHECK(refused.status == 400);
        CHECK(code_of(refused) == "malformed");
    }
    CHECK(office.ask(http::Method::get, "/admin/v1/test/attempts/at_none", key).status == 404);
    CHECK(office.ask(http::Method::get, "/admin/v1/live/attempts", key).status == 404);
}

TEST_CASE("two persons decide over the API, one cannot") {
    Office office;
    std::string const anna = office.key("Anna", {});
    std::string const anna_again = office.key(" ANNA\u200b", {});
    std::string const ben = office.key("Ben", {});
    std::string const unnamed = office.key("", {});
    office.bank.script("capture", flow::test::says(connectors::Outcome::unknown));
    REQUIRE(office.rig.pay(1000).has_value());
    std::string const base = "/admin/v1/test/attempts/" + office.rig.attempts("capture")[0].id;
    json const before = office.get(base, anna);
    CHECK(before.at("may_become") == json({"approved", "declined"}));
    auto const post = [&](std::string const& path, std::string const& with, std::string body) {
        return office.ask(http::Method::post, base + path, with, body);
    };
    std::string const wish = R"({"outcome":"approved","reason":"the bank's desk, by phone"})";
    CHECK(post("/resolutions", anna, R"({"outcome":"approved"})").status == 400);
    CHECK(post("/resolutions", anna, R"({"outcome":"reversed","reason":"x"})").status == 409);
    CHECK(post("/resolutions", unnamed, wish).status == 403);
    auto const made = post("/resolutions", anna, wish);
    REQUIRE(made.status == 200);
    CHECK(json::parse(made.body).at("attempt_open") == true);
    std::string const confirm =
        "/resolutions/" + json::parse(made.body).at("resolution").get<std::string>() + "/confirm";
    for (std::string const& person : {anna, anna_again}) {
        auto const refused = post(confirm, person, "");
        CHECK(refused.status == 403);
        CHECK(code_of(refused) == "refused");
        CHECK(refused.body.find("another person") != std::string::npos);
    }
    auto const done = post(confirm, ben, "");
    REQUIRE_MESSAGE(done.status == 200, done.body);
    CHECK(json::parse(done.body).at("attempt_state") == "approved");
    CHECK(post(confirm, ben, "").status == 409);
    json const after = office.get(base, anna);
    CHECK(after.at("resolutions")[0].at("decided_by") == "Ben");
    CHECK(after.at("evidence").back().at("source") == "operator");
    CHECK(office.rig.intent(office.rig.last_intent).status == "succeeded");
}

TEST_CASE("a confirmation keeps the reason of who made it") {
    Office office;
    std::string const anna = office.key("Anna", {});
    std::string const ben = office.key("Ben", {});
    office.bank.script("capture", flow::test::says(connectors::Outcome::unknown));
    REQUIRE(office.rig.pay(1000).has_value());
    std::string const base =
        "/admin/v1/test/attempts/" + office.rig.attempts("capture")[0].id + "/resolutions";
    auto const made = office.ask(
        http::Method::post, base, anna, R"({"outcome":"approved","reason":"the bank's desk"})"
    );
    REQUIRE_MESSAGE(made.status == 200, made.body);
    std::string const confirm =
        base + "/" + json::parse(made.body).at("resolution").get<std::string>() + "/confirm";
    CHECK(office.ask(http::Method::post, confirm, ben, R"({"reason":7})").status == 400);
    auto const done = office.ask(http::Method::post, confirm, ben, R"({"reason":"a letter"})");
    REQUIRE_MESSAGE(done.status == 200, done.body);
    json const kept = office.get(base, anna).at("resolutions")[0];
    CHECK(kept.at("reason") == "the bank's desk");
    CHECK(kept.at("decided_reason") == "a letter");
}

TEST_CASE("who makes or rolls a key for somebody else does not become that person") {
    Office office;
    std::string const anna = office.key("Anna", {});
    std::string const ben = office.key("Ben", {});
    auto const post = [&](std::string const& path, std::string const& with, std::string body) {
        return office.ask(http::Method::post, "/admin/v1" + path, with, body);
    };
    auto const make = [&](std::string const& with, std::string const& name) {
        auto const made = post("/keys", with, R"({"kind":"admin","name":")" + name + "\"}");
        REQUIRE_MESSAGE(made.status == 200, made.body);
        return json::parse(made.body);
    };
    json const carl = make(anna, "Carl");
    json const dora = make(carl.at("key"), "Dora");
    CHECK(carl.at("created_by") == "Anna");
    CHECK(dora.at("makers") == json({"Anna"}));
    office.bank.script("capture", flow::test::says(connectors::Outcome::unknown));
    REQUIRE(office.rig.pay(1000).has_value());
    std::string const base =
        "/test/attempts/" + office.rig.attempts("capture")[0].id + "/resolutions";
    std::string const wish = R"({"outcome":"approved","reason":"x"})";
    auto const made = post(base, anna, wish);
    REQUIRE(made.status == 200);
    std::string const confirm =
        base + "/" + json::parse(made.body).at("resolution").get<std::string>() + "/confirm";
    CHECK(post(confirm, carl.at("key"), "").status == 403);
    CHECK(post(confirm, dora.at("key"), "").status == 403);
    CHECK(post(base, dora.at("key"), wish).status == 403);

    // Nobody rolls another person's key, however strong their own is; everybody their own.
    std::string const bens_id = ben.substr(8, 12);
    auto const refused = post("/keys/" + bens_id + "/roll", anna, "");
    CHECK(refused.status == 403);
    CHECK(code_of(refused) == "refused");
    CHECK(post("/keys/" + bens_id + "/revoke", "", "").status == 401);
    auto const rolled = post("/keys/" + bens_id + "/roll", ben, "");
    REQUIRE_MESSAGE(rolled.status == 200, rolled.body);
    // A key of Ben's name that Anna made rolls Ben's, and is Anna's all the same.
    json const puppet = make(anna, " BEN ");
    CHECK(puppet.at("name") == "BEN");
    auto const stolen = post("/keys/" + bens_id + "/roll", puppet.at("key"), "");
    REQUIRE_MESSAGE(stolen.status == 200, stolen.body);
    CHECK(post(confirm, json::parse(stolen.body).at("key"), "").status == 403);
    // Another person can end a key, and the one that Ben rolled decides.
    auto const revoked = post("/keys/" + bens_id + "/revoke", anna, "");
    CHECK(revoked.status == 200);
    auto const done = post(confirm, json::parse(rolled.body).at("key"), "");
    CHECK_MESSAGE(done.status == 200, done.body);
}

TEST_CASE("an admin key has a person's name and no mode") {
    Office office;
    std::string const boss = office.key("Boss", {});
    auto const make = [&](json const& body) {
        return office.ask(http::Method::post, "/admin/v1/keys", boss, body.dump());
    };
    for (json const& wrong :
         {json{{"kind", "admin"}},
          {{"kind", "admin"}, {"name", "   "}},
          {{"kind", "admin"}, {"name", "An\u200bna"}},
          {{"kind", "admin"}, {"name", "Anna\u202e"}},
          {{"kind", "admin"}, {"name", "Anna\u0085"}},
          {{"kind", "admin"}, {"name", "Anna 4242424242424242"}},
          {{"kind", "admin"}, {"name", "Anna"}, {"mode", "test"}},
          {{"kind", "admin"}, {"name", "Anna"}, {"mode", "live"}},
          {{"kind", "admin"}, {"name", "Anna"}, {"rights", {{"charges", "read"}}}}}) {
        CAPTURE(wrong.dump());
        auto const refused = make(wrong);
        CHECK(refused.status == 400);
        CHECK(code_of(refused) == "malformed");
    }
    auto const made = make({{"kind", "admin"}, {"name", "  Ada \u00a0 Lovelace "}});
    REQUIRE_MESSAGE(made.status == 200, made.body);
    CHECK(json::parse(made.body).at("name") == "Ada Lovelace");
    CHECK(json::parse(made.body).at("key").get<std::string>().starts_with("ak_live_"));
}

TEST_CASE("an admin key's own limits hold") {
    Office office;
    std::string const boss = office.key("Boss", {});
    auto const made = office.ask(
        http::Method::post,
        "/admin/v1/keys",
        boss,
        R"({"kind":"admin","name":"Anna","requests_per_second":1,"burst_requests":2})"
    );
    REQUIRE_MESSAGE(made.status == 200, made.body);
    std::string const anna = json::parse(made.body).at("key");
    office.get("/admin/v1", anna);
    office.get("/admin/v1", anna);
    auto const refused = office.ask(http::Method::get, "/admin/v1", anna);
    CHECK(refused.status == 429);
    CHECK(code_of(refused) == "rate_limit");
    CHECK(
        std::ranges::find(
            refused.headers, std::pair<std::string, std::string>{"Retry-After", "1"}
        ) != refused.headers.end()
    );
    for (int i = 0; i < 20; ++i) {
        office.get("/admin/v1", boss);  // has none, and pays for nobody
    }
}

TEST_CASE("no answer repeats a card number or a key that stood in the path") {
    Office office;
    std::string const boss = office.key("Boss", {});
    for (std::string const secret : {"4242424242424242", "sk_live_0123456789abcdefghij"}) {
        for (std::string const path :
             {"/admin/v1/keys/",
              "/admin/v1/merchants/",
              "/admin/v1/jobs/",
              "/admin/v1/none/",
              "/admin/v1/test/attempts/",
              "/admin/v1/test/settlement/batches/"}) {
            CAPTURE(path);
            auto const response = office.ask(http::Method::get, path + secret, boss);
            CHECK(response.status >= 400);
            CHECK(response.body.find(secret) == std::string::npos);
        }
        auto const routed = office.ask(
            http::Method::post,
            "/admin/v1/test/routes/" + secret,
            boss,
            R"({"enabled":true,"reason":"x"})"
        );
        CHECK(routed.status == 404);
        CHECK(routed.body.find(secret) == std::string::npos);
    }
}

TEST_CASE("a connector that operators disable takes no new payments, also after a restart") {
    Office office;
    std::string const key = office.key("Anna", {});
    std::string const path = "/admin/v1/test/routes/bank";
    auto const set = [&](std::string const& body) {
        return office.ask(http::Method::post, path, key, body);
    };
    CHECK(set(R"({"enabled":false})").status == 400);
    CHECK(set(R"({"reason":"x"})").status == 400);
    CHECK(
        office
            .ask(
                http::Method::post,
                "/admin/v1/test/routes/none",
                key,
                R"({"enabled":true,"reason":"x"})"
            )
            .status == 404
    );
    auto const held = office.rig.pay(500, "manual");
    REQUIRE(held.has_value());
    std::string const held_id = office.rig.last_intent;
    REQUIRE(set(R"({"enabled":false,"reason":"maintenance"})").status == 200);
    CHECK(office.rig.pay(600).error().http_status == 503);
    CHECK(office.rig.pay(600, "automatic", "", "bank").error().http_status == 400);
    // What it authorised it captures.
    auto const captured = office.rig.wait(
        office.rig.payments().capture(office.rig.caller(), held_id, {}, office.rig.render())
    );
    CHECK(captured.has_value());
    // The configuration comes back with a restart, and the setting after it.
    office.rig.payments().set_routes(model::Mode::test, {{&office.bank}, {&office.bank}});
    REQUIRE(office.routing.load().has_value());
    CHECK(office.rig.pay(600).error().http_status == 503);
    // With a priority below zero it takes what names it, and nothing else.
    REQUIRE(set(R"({"enabled":true,"priority":-1,"reason":"by name only"})").status == 200);
    CHECK(office.rig.pay(600).error().http_status == 503);
    CHECK(office.rig.pay(600, "automatic", "", "bank").has_value());
    json const route = office.get("/admin/v1/test/routes", key).at("routes")[0];
    CHECK(route.at("priority") == -1);
    CHECK(route.at("configured_priority") == 10);
    CHECK(route.at("changed").at("by") == "Anna");
}

TEST_CASE("health is 503 where a mode has no connector that is ready") {
    Office office;
    std::string const key = office.key("Anna", {});
    json const well = office.get("/admin/v1/health", key);
    CHECK(well.at("status") == "ok");
    CHECK(well.at("version") == "1.2.3");
    CHECK(well.at("connectors")[0].at("guard").is_null());
    office.bank.ready = false;
    auto const ill = office.ask(http::Method::get, "/admin/v1/health", key);
    CHECK(ill.status == 503);
    CHECK(json::parse(ill.body).at("connectors")[0].at("ready") == false);
}

TEST_CASE("the ledger's requests are answered in the form of florin ledger exec") {
    Office office;
    std::string const key = office.key("Anna", {});
    auto const ask = [&](std::string const& name, std::string const& body) {
        return office.ask(http::Method::post, "/admin/v1/ledger/" + name, key, body);
    };
    auto const made = ask(
        "create_accounts",
        R"({"create_accounts":[{"id":"1","ledger":700,"code":1},{"id":"2","ledger":700,"code":1}]})"
    );
    REQUIRE_MESSAGE(made.status == 200, made.body);
    CHECK(json::parse(made.body).at("results").size() == 2);
    auto const moved = ask(
        "create_transfers",
        R"({"create_transfers":[{"id":"9","debit_account_id":"1","credit_account_id":"2","amount":"5","ledger":700,"code":1}]})"
    );
    CHECK(json::parse(moved.body).at("results")[0].at("status") == "created");
    auto const seen = ask("lookup_accounts", R"({"lookup_accounts":["1","2","3"]})");
    CHECK(json::parse(seen.body).at("accounts")[1].at("credits_posted") == "5");
    struct Wrong {
        std::string name, body, code;
    };
    std::vector<Wrong> const wrongs{
        {"lookup_accounts", "[", "malformed"},
        {"lookup_accounts", "{}", "unknown_request"},
        {"lookup_accounts", R"({"lookup_transfers":["1"]})", "unknown_request"},
        {"lookup_accounts",
         R"({"lookup_accounts":["1"],"lookup_transfers":["1"]})",
         "unknown_request"},
        {"lookup_accounts", R"({"lookup_accounts":["x"]})", "bad_value"},
        {"create_accounts", R"({"create_accounts":[{"name":"x"}]})", "unknown_field"},
    };
    for (Wrong const& wrong : wrongs) {
        CAPTURE(wrong.body);
        auto const refused = ask(wrong.name, wrong.body);
        CHECK(refused.status == 400);
        CHECK(code_of(refused) == wrong.code);
    }
    CHECK(ask("advance_clock", R"({"advance_clock":{"ns":"5"}})").status == 404);
}

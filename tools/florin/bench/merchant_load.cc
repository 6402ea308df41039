#include "tools/florin/bench/merchant_load.h"

#include "tools/florin/bench/measure.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <unistd.h>
#include <utility>

namespace florin::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kIdsMax = 200'000;
constexpr std::string_view kPayment =
    "amount=4500&currency=eur&payment_method=pm_card_visa&confirm=true";

std::string head_with(
    std::string const& key,
    HttpsTarget const& target,
    std::string_view method,
    std::string_view path,
    std::string_view more
) {
    std::string text;
    text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: ");
    text.append(target.host).append("\r\nAuthorization: Bearer ").append(key);
    text.append("\r\nContent-Type: application/x-www-form-urlencoded\r\n").append(more);
    return text;
}

// Keeps the answer.
class OnceDriver final : public RequestDriver {
public:
    explicit OnceDriver(std::string request) : request_{std::move(request)} {}
    std::string next() override { return request_; }
    bool take(int, std::string_view body) override {
        answer = body;
        return true;
    }
    std::string answer;

private:
    std::string request_;
};

}  // namespace

Result<void> start_florind(
    Florind& florind, std::filesystem::path const& directory, FlorindMode const& mode
) {
    FLORIN_TRY(auto const program, florind_program());
    std::vector<std::string> arguments{
        mode.bare ? "--bare" : "--dev", "--data-dir", directory.string(), "--listen", "127.0.0.1:0"
    };
    if (mode.keep_seconds != 0) {
        arguments.emplace_back("--keep-seconds");
        arguments.push_back(std::to_string(mode.keep_seconds));
    }
    if (!mode.iso8583.empty()) {
        arguments.emplace_back("--iso8583");
        arguments.push_back(mode.iso8583);
    }
    FLORIN_TRY_VOID(florind.child.start(program, arguments, directory.string() + ".log"));
    FLORIN_TRY(auto const text, florind.child.line());
    auto const ready = ordered_json::parse(text, nullptr, false);
    if (!ready.is_object() || ready.value("event", "") != "ready") {
        return fail(Errc::refused, "florind did not start: " + text);
    }
    FLORIN_TRY(florind.target, https_target(ready.value("url", ""), ready.value("ca", "")));
    florind.key = ready.value("secret_key", "");
    florind.admin_key = ready.value("admin_key", "");
    florind.data_dir = directory;
    florind.pid = florind.child.pid();
    return {};
}

Result<void> find_florind(Florind& florind, std::string const& url, std::string const& ca_file) {
    FLORIN_TRY(florind.target, https_target(url, ca_file));
    char const* const key = std::getenv("FLORIN_API_KEY");
    if (key == nullptr) {
        return fail(Errc::refused, "no API key: set FLORIN_API_KEY");
    }
    florind.key = key;
    return {};
}

std::string request_head(
    Florind const& florind, std::string_view method, std::string_view path, std::string_view more
) {
    return head_with(florind.key, florind.target, method, path, more);
}

Result<std::string> ask_operators(Florind const& florind, std::string_view path) {
    OnceDriver driver{head_with(florind.admin_key, florind.target, "GET", path, "\r\n")};
    HttpsLoad const once{.connections = 1, .warm_seconds = 0, .requests = 1};
    FLORIN_TRY_VOID(run_https_load(florind.target, once, driver));
    return std::move(driver.answer);
}

PaymentDriver::PaymentDriver(Florind const& florind)
    : head_{
          request_head(florind, "POST", "/v1/payment_intents", "Content-Length: ") +
          std::to_string(kPayment.size()) + "\r\nIdempotency-Key: bench-" +
          std::to_string(::getpid()) + "-" +
          std::to_string(Steady::now().time_since_epoch().count()) + "-"
      } {}

std::string PaymentDriver::next() {
    std::string text = head_;
    text.append(std::to_string(++sent_)).append("\r\n\r\n").append(kPayment);
    return text;
}

bool PaymentDriver::take(int status, std::string_view body) {
    auto const at = body.find(kIdAt);
    if (status != 200 || at == std::string_view::npos) {
        return false;
    }
    ++made_;
    if (ids_.size() < kIdsMax) {
        auto const from = at + kIdAt.size();
        ids_.emplace_back(body.substr(from, body.find('"', from) - from));
    }
    return body.find("\"status\": \"succeeded\"") != std::string_view::npos;
}

SameDriver bare_driver(Florind const& bare) {
    constexpr std::size_t kBodyMin = 1'000;
    return {request_head(bare, "GET", "/", "\r\n"), kBodyMin};
}

ProcessorUse::ProcessorUse(pid_t process) : process_{process} {
    if (process_ != 0) {
        before_ = thread_seconds(process_);
    }
}

std::map<std::string, double> ProcessorUse::us_of_each(std::uint64_t count) const {
    std::map<std::string, double> used;
    if (process_ == 0 || count == 0) {
        return used;
    }
    for (auto const& [thread, seconds] : thread_seconds(process_)) {
        auto const known = before_.find(thread);
        double const more = seconds - (known == before_.end() ? 0.0 : known->second);
        used[thread] = more * 1e6 / static_cast<double>(count);
    }
    return used;
}

double ProcessorUse::seconds() const {
    double sum = 0;
    for (auto const& [thread, us] : us_of_each(1)) {
        sum += us / 1e6;
    }
    return sum;
}

std::string fixed(double value, int decimals) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

}  // namespace florin::tools

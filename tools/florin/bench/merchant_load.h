// What benchmarks of the merchant API have in common: a florind to ask, and what it is asked.
// Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"
#include "tools/florin/bench/child.h"
#include "tools/florin/bench/https_load.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace florin::tools {

// A florind that is ours or somebody else's, and what to say to it.
struct Florind {
    HttpsTarget target;
    std::string key;                 // of a merchant
    std::string admin_key;           // of an operator; empty: not ours
    std::filesystem::path data_dir;  // empty: not ours
    Child child;
    pid_t pid = 0;  // 0: not ours
};

// How a florind of our own is started.
struct FlorindMode {
    bool bare = false;          // the server and its TLS without the application, 2 KiB answers
    unsigned keep_seconds = 0;  // of what has a time to be kept; 0: as in production
    std::string iso8583{};  // addresses of a bank's links, with commas; empty: the sandbox alone
};

Result<void> start_florind(
    Florind& florind, std::filesystem::path const& directory, FlorindMode const& mode
);
// One that runs; its secret key comes from FLORIN_API_KEY.
Result<void> find_florind(Florind& florind, std::string const& url, std::string const& ca_file);

// The answer to GET of a path of the operators' API, of a florind of our own.
Result<std::string> ask_operators(Florind const& florind, std::string_view path);

// The head of a request, but for the empty line after it.
std::string request_head(
    Florind const& florind,
    std::string_view method,
    std::string_view path,
    std::string_view more = {}
);

inline constexpr std::string_view kIdAt = "\"id\": \"";  // in the text of an object

// Confirmed payments, a new Idempotency-Key each; keeps the ids of those made.
class PaymentDriver final : public RequestDriver {
public:
    explicit PaymentDriver(Florind const& florind);
    std::string next() override;
    bool take(int status, std::string_view body) override;
    std::vector<std::string> const& ids() const { return ids_; }
    std::uint64_t made() const { return made_; }

private:
    std::string head_;
    std::uint64_t sent_ = 0, made_ = 0;
    std::vector<std::string> ids_;
};

// One request again and again.
class SameDriver final : public RequestDriver {
public:
    SameDriver(std::string request, std::size_t body_min)
        : request_{std::move(request)}, body_min_{body_min} {}
    std::string next() override { return request_; }
    bool take(int status, std::string_view body) override {
        return status == 200 && body.size() >= body_min_;
    }

private:
    std::string request_;
    std::size_t body_min_;
};

// For a florind with FlorindMode::bare.
SameDriver bare_driver(Florind const& bare);

// Processor time of a process from here on.
class ProcessorUse {
public:
    explicit ProcessorUse(pid_t process);  // 0: nobody's
    // By thread, microseconds for each of `count`.
    std::map<std::string, double> us_of_each(std::uint64_t count) const;
    double seconds() const;

private:
    pid_t process_;
    std::map<std::string, double> before_;
};

std::string fixed(double value, int decimals);

}  // namespace florin::tools

// The route table: which function answers which method and path.
// Thread rule: built at the start, then read by every thread.
#pragma once

#include "daemon/http/message.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace florin::http {

using PathParameters = std::map<std::string, std::string, std::less<>>;

template <class Target>
class Router {
public:
    // "/v1/payment_intents/:id/confirm"
    void add(Method method, std::string_view pattern, Target target) {
        routes_.push_back({method, std::string{pattern}, split(pattern), std::move(target)});
    }

    // What was added, in order.
    std::vector<std::pair<Method, std::string>> patterns() const {
        std::vector<std::pair<Method, std::string>> all;
        for (Route const& route : routes_) {
            all.emplace_back(route.method, route.pattern);
        }
        return all;
    }

    // Calls visit(method, parts of the pattern) for each row.
    template <class Visit>
    void each(Visit const& visit) const {
        for (Route const& route : routes_) {
            visit(route.method, route.parts);
        }
    }

    struct Match {
        Target const* target;
        PathParameters parameters;
    };
    // nullopt: nothing answers this.
    std::optional<Match> find(Method method, std::string_view path) const {
        auto const parts = split(path);
        for (Route const& route : routes_) {
            if (route.method == method) {
                if (auto parameters = match(route.parts, parts)) {
                    return Match{&route.target, std::move(*parameters)};
                }
            }
        }
        return std::nullopt;
    }

private:
    struct Route {
        Method method;
        std::string pattern;
        std::vector<std::string> parts;
        Target target;
    };
    static std::vector<std::string> split(std::string_view path) {
        std::vector<std::string> parts;
        while (!path.empty()) {
            path.remove_prefix(path.starts_with('/') ? 1 : 0);
            auto const end = path.find('/');
            parts.emplace_back(path.substr(0, end));
            path.remove_prefix(end == std::string_view::npos ? path.size() : end);
        }
        return parts;
    }
    static std::optional<PathParameters> match(
        std::vector<std::string> const& pattern, std::vector<std::string> const& parts
    ) {
        if (pattern.size() != parts.size()) {
            return std::nullopt;
        }
        PathParameters parameters;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (pattern[i].starts_with(':')) {
                parameters[pattern[i].substr(1)] = parts[i];
            } else if (pattern[i] != parts[i]) {
                return std::nullopt;
            }
        }
        return parameters;
    }
    std::vector<Route> routes_;
};

}  // namespace florin::http

#include "daemon/api/rights.h"

#include <algorithm>
#include <set>

namespace florin::api {
namespace {

bool is_listed(Rights const& rights, std::string_view resource, Access wanted) {
    auto right = rights.find(std::string{resource});
    if (right == rights.end()) {
        right = rights.find("*");
    }
    if (right == rights.end()) {
        return false;
    }
    return right->second == "write" || (wanted == Access::read && right->second == "read");
}

}  // namespace

std::string_view access_name(Access access) {
    return access == Access::read ? "read" : "write";
}

std::string_view resource_of(std::string_view path) {
    constexpr std::string_view kRoot = "/v1/";
    if (!path.starts_with(kRoot)) {
        return {};
    }
    path.remove_prefix(kRoot.size());
    return path.substr(0, path.find('/'));
}

bool may(model::ApiKey const& key, std::string_view resource, Access wanted) {
    if (key.kind == "secret" || (key.kind == "admin" && key.rights.empty())) {
        return true;
    }
    if (key.kind != "restricted" && key.kind != "admin") {
        return false;
    }
    return is_listed(key.rights, resource, wanted);
}

Result<void> need(model::ApiKey const& key, std::string_view resource, Access wanted) {
    if (!may(key, resource, wanted)) {
        return fail(
            Errc::refused,
            "this key lacks the right " + std::string{resource} + "=" +
                std::string{access_name(wanted)}
        );
    }
    return {};
}

bool may_give(model::ApiKey const& giver, Rights const& rights) {
    if (giver.kind != "admin") {
        return false;
    }
    Rights const everything = {{"*", "write"}};
    Rights const& given = rights.empty() ? everything : rights;
    // Wherever either has a right of its own, and for "*" everywhere else. ("*" is never the name
    // of a resource, so asking for it finds the general right.)
    std::set<std::string> resources = {"*"};
    for (auto const& [resource, access] : given) {
        resources.insert(resource);
    }
    for (auto const& [resource, access] : giver.rights) {
        resources.insert(resource);
    }
    return std::ranges::all_of(resources, [&](std::string const& resource) {
        return std::ranges::all_of(std::set{Access::read, Access::write}, [&](Access access) {
            return !is_listed(given, resource, access) || may(giver, resource, access);
        });
    });
}

}  // namespace florin::api

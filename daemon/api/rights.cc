#include "daemon/api/rights.h"

namespace florin::api {

bool may(model::ApiKey const& key, std::string_view resource, Access wanted) {
    if (key.kind == "secret" || (key.kind == "admin" && key.rights.empty())) {
        return true;
    }
    if (key.kind != "restricted" && key.kind != "admin") {
        return false;
    }
    auto right = key.rights.find(std::string{resource});
    if (right == key.rights.end()) {
        right = key.rights.find("*");
    }
    if (right == key.rights.end()) {
        return false;
    }
    return right->second == "write" || (wanted == Access::read && right->second == "read");
}

}  // namespace florin::api

// URLs of webhook endpoints: whatever is taken is a host, a port and a path that a request can be
// made of, with nothing in it that would be read as something else.
#include "daemon/webhooks/rules.h"

#include <algorithm>
#include <cstdlib>

namespace {

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    using namespace florin::webhooks;
    std::string_view const url{reinterpret_cast<char const*>(data), size};
    auto const target = parse_url(url);
    if (!target) {
        check(target.error().code == florin::Errc::malformed);
        check(!target.error().context.empty());
        return 0;
    }
    auto const is_plain = [](char c) { return c > ' ' && c < '\x7f'; };
    check(!target->host.empty() && std::ranges::all_of(target->host, is_plain));
    check(target->host.find_first_of("@/#?%[]") == std::string::npos);
    check(target->port != 0);
    check(target->path.starts_with('/') && std::ranges::all_of(target->path, is_plain));
    check(target->path.find('#') == std::string::npos);
    check(target->host_header.find(target->host) != std::string::npos);
    // What is put together again is taken again, as the same.
    std::string const again =
        (target->is_tls ? "https://" : "http://") + target->host_header + target->path;
    if (again.size() <= kUrlBytesMax) {
        auto const second = parse_url(again);
        check(second.has_value());
        check(second->host == target->host && second->port == target->port);
        check(second->path == target->path && second->is_tls == target->is_tls);
    }
    boost::system::error_code error;
    auto const address = boost::asio::ip::make_address(target->host, error);
    if (!error) {
        is_public(address);
    }
    return 0;
}

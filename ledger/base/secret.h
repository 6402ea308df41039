// Secrets: values that cannot be printed, logged or serialised by accident.
//
// No stream operator, no fmt formatter, no to_json exist for them (tests/base/secret_test.cc proves
// it at compile time); memory is wiped when a secret dies. The one view that prints is masked().
// Thread rule: values, no shared state.
#pragma once

#include <cstring>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace florin {

// A secret byte string of one kind. Move leaves the source wiped and empty.
template <class Tag>
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string&& value) : value_{std::move(value)} { wipe(value); }
    explicit Secret(std::string_view value) : value_{value} {}
    Secret(Secret const&) = default;
    Secret(Secret&& other) noexcept : value_{std::move(other.value_)} { wipe(other.value_); }
    Secret& operator=(Secret const& other) {
        if (this != &other) {
            wipe(value_);
            value_ = other.value_;
        }
        return *this;
    }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            wipe(value_);
            value_ = std::move(other.value_);
            wipe(other.value_);
        }
        return *this;
    }
    ~Secret() { wipe(value_); }

    bool empty() const { return value_.empty(); }
    std::size_t size() const { return value_.size(); }
    // The value itself. Every call is a place to review.
    std::string_view reveal() const { return value_; }

    template <class Stream>
    friend Stream& operator<<(Stream&, Secret const&) = delete;
    template <class Json>
    friend void to_json(Json&, Secret const&) = delete;

private:
    static void wipe(std::string& bytes) noexcept {
        if (!bytes.empty()) {
            explicit_bzero(bytes.data(), bytes.size());
        }
        bytes.clear();
    }
    std::string value_;
};

using Pan = Secret<struct PanTag>;            // primary account number, digits only
using Cvv = Secret<struct CvvTag>;            // card verification value; never stored
using PinBlock = Secret<struct PinBlockTag>;  // passes through only
using ApiKey = Secret<struct ApiKeyTag>;      // sk_…, pk_…, admin keys
using KeyBytes = Secret<struct KeyBytesTag>;  // raw key material

// The last four digits of a card number.
inline std::string last_four(Pan const& pan) {
    auto const digits = pan.reveal();
    return std::string{digits.substr(digits.size() > 4 ? digits.size() - 4 : 0)};
}
// "************4242": what may be shown of a card number.
inline std::string masked(Pan const& pan) {
    return std::string(pan.size() > 4 ? pan.size() - 4 : 0, '*') + last_four(pan);
}
// "sk_test_********cdef": what may be shown of an API key.
inline std::string masked(ApiKey const& key) {
    auto const text = key.reveal();
    auto const prefix_end = text.rfind('_');
    auto const prefix = prefix_end == std::string_view::npos || prefix_end > 16
                            ? std::string_view{}
                            : text.substr(0, prefix_end + 1);
    auto const tail = text.size() >= prefix.size() + 12 ? text.substr(text.size() - 4) : "";
    return std::string{prefix} + "********" + std::string{tail};
}

}  // namespace florin

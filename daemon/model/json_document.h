// Documents as JSON text: what the .cc files of the model share. Included by them alone, so that
// the JSON library stays out of everybody else's way.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"

#include <nlohmann/json.hpp>

namespace florin::model {

template <class T>
std::string to_text(T const& document) {
    return nlohmann::json(document).dump();
}

template <class T>
Result<T> from_text(std::string_view text) {
    try {
        return nlohmann::json::parse(text).get<T>();
    } catch (nlohmann::json::exception const& error) {
        return fail(
            Errc::corrupt,
            "a document of kind " + std::to_string(static_cast<int>(T::kKind)) + ": " + error.what()
        );
    }
}

}  // namespace florin::model

// Makes both for one document; its fields were named by NLOHMANN_DEFINE_TYPE… before.
#define FLORIN_DOCUMENT(T)                  \
    template std::string to_text(T const&); \
    template Result<T> from_text(std::string_view);

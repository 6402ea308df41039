#include "connectors/statements/statement.h"

#include <array>

namespace florin::connectors::statements {

std::string_view level_name(Level level) {
    switch (level) {
        case Level::acquirer: return "acquirer";
        case Level::bank: return "bank";
    }
    return "";
}

std::string_view line_type_name(LineType type) {
    switch (type) {
        case LineType::capture: return "capture";
        case LineType::refund: return "refund";
        case LineType::chargeback: return "chargeback";
        case LineType::fee: return "fee";
        case LineType::entry: return "entry";
    }
    return "";
}

std::optional<LineType> line_type_from(std::string_view name) {
    constexpr std::array kTypes{
        LineType::capture, LineType::refund, LineType::chargeback, LineType::fee, LineType::entry
    };
    for (auto const type : kTypes) {
        if (line_type_name(type) == name) {
            return type;
        }
    }
    return std::nullopt;
}

}  // namespace florin::connectors::statements

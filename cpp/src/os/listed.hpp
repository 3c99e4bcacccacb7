// Numbers in messages.
#pragma once

#include <string>
#include <vector>

namespace dwcp::os {

// "0, 1, 5"
inline std::string listed(const std::vector<int>& numbers) {
    std::string text;
    for (const int number : numbers) {
        if (!text.empty()) text += ", ";
        text += std::to_string(number);
    }
    return text;
}

}  // namespace dwcp::os

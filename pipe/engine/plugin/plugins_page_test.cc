// SPDX-License-Identifier: Apache-2.0
// doc/plugins.md and its Chinese twin: what they print is built, loaded and compared.
#include "pipe/engine/plugin/plugin_for_test.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class PluginsPage : public test::PluginTest, public testing::WithParamInterface<const char*> {
 protected:
  std::string page() const {
    std::ifstream in(std::string(TIDEGATE_SOURCE_DIR) + "/doc/" + GetParam());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // The fenced block of this language.
  std::string block(const std::string& language) const {
    const std::string text = page();
    const std::size_t begin = text.find("```" + language + "\n");
    EXPECT_NE(begin, std::string::npos) << language;
    const std::size_t from = begin + language.size() + 4;
    return text.substr(from, text.find("```", from) - from);
  }
  static std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), with);
  }
};

TEST_P(PluginsPage, TheSmallestPluginIsBuiltByItsCommandAndRuns) {
  write("watch_processor.c", block("c"));
  const std::string out = file("watch_processor.so");
  std::string command = replaced(block("sh"), "-I pipe/engine", "-I " TIDEGATE_SOURCE_DIR "/pipe/engine");
  command = replaced(command, "cc ", TIDEGATE_C_COMPILER " ");
  ASSERT_EQ(std::system(("umask 022; cd " + folder_ + " && " + command).c_str()),
            0);  // NOLINT: a fixed command
  const Result<PluginInfo> info = load(out);
  ASSERT_TRUE(info.ok()) << info.error().text();
  EXPECT_EQ(info->name, "watch-processor");
}

TEST_P(PluginsPage, TheAttributesOfTheHostAreListedWithTheirDefaults) {
  for (const AttributeSpec& spec : plugin("scale_processor.so").info.attributes) {
    if (!spec.name.starts_with(tgplugin::kHostPrefix)) continue;
    EXPECT_THAT(page(), HasSubstr("| `" + spec.name + "` |"));
    EXPECT_THAT(page(), HasSubstr("| `" + spec.default_value + "` |"));
  }
}

INSTANTIATE_TEST_SUITE_P(InBothLanguages, PluginsPage, testing::Values("plugins.md", "zh/plugins.md"));

}  // namespace
}  // namespace tidegate

// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/shell/line_editor.h"

#include <histedit.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>

#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

constexpr int kHistoryLines = 1000;
constexpr std::size_t kMostListed = 100;
volatile std::sig_atomic_t interrupts = 0;

void on_interrupt(int) {
  interrupts = 1;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// libedit counts in characters.
int characters(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

}  // namespace

struct LineEditor::Impl {
  std::string history_file, prompt;
  Complete complete;
  EditLine* editor = nullptr;
  History* history = nullptr;
  HistEvent event{};

  static Impl& of(EditLine* editor) {
    Impl* impl = nullptr;
    el_get(editor, EL_CLIENTDATA, &impl);
    return *impl;
  }
  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
  static unsigned char on_tab(EditLine* editor, int) { return of(editor).fill_in(); }
  unsigned char fill_in();
};

// One choice is put in, several as far as they agree; where that is nowhere, they are listed.
unsigned char LineEditor::Impl::fill_in() {
  const LineInfo* const line = el_line(editor);
  const std::string_view before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
  const Choices choices = complete(before);
  if (choices.texts.empty() || choices.size > before.size()) return CC_REFRESH_BEEP;
  const std::string_view typed = before.substr(before.size() - choices.size);
  std::string text = choices.texts.size() == 1 ? choices.texts[0] + " " : common_beginning(choices.texts);
  if (text.size() > typed.size()) {
    if (!typed.empty()) el_deletestr(editor, characters(typed));
    return el_insertstr(editor, text.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
  }
  std::string list = "\n";
  for (std::size_t i = 0; i < std::min(choices.texts.size(), kMostListed); ++i)
    list += (i == 0 ? "" : "  ") + printable(choices.texts[i]);
  list += choices.texts.size() > kMostListed ? "  ...\n" : "\n";
  std::fputs(list.c_str(), stdout);
  std::fflush(stdout);
  return CC_REDISPLAY;
}

LineEditor::LineEditor(std::string history_file, Complete complete) : impl_(std::make_unique<Impl>()) {
  Impl& my = *impl_;
  my.history_file = std::move(history_file);
  my.complete = std::move(complete);
  std::setlocale(LC_CTYPE, "");
  my.editor = el_init("tidegate", stdin, stdout, stderr);
  my.history = history_init();
  history(my.history, &my.event, H_SETSIZE, kHistoryLines);
  history(my.history, &my.event, H_SETUNIQUE, 1);
  el_set(my.editor, EL_CLIENTDATA, &my);
  el_set(my.editor, EL_PROMPT, &Impl::show_prompt);
  el_set(my.editor, EL_EDITOR, "emacs");
  el_set(my.editor, EL_HIST, history, my.history);
  el_set(my.editor, EL_ADDFN, "tidegate-complete", "what may stand here", &Impl::on_tab);
  el_set(my.editor, EL_BIND, "^I", "tidegate-complete", nullptr);
  el_set(my.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  if (!my.history_file.empty()) history(my.history, &my.event, H_LOAD, my.history_file.c_str());
  // Without SA_RESTART: the line that is being read ends.
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
}

LineEditor::~LineEditor() {
  if (impl_->editor != nullptr) el_end(impl_->editor);
  if (impl_->history != nullptr) history_end(impl_->history);
}

std::optional<std::string> LineEditor::read(const std::string& prompt, bool* interrupted) {
  impl_->prompt = prompt;
  interrupts = 0;
  int size = 0;
  const char* const line = el_gets(impl_->editor, &size);
  *interrupted = interrupts != 0;
  if (*interrupted) {
    el_reset(impl_->editor);
    std::fputs("^C\n", stdout);
    return std::string();
  }
  if (line == nullptr || size <= 0) return {};
  std::string out(line, static_cast<std::size_t>(size));
  while (out.ends_with('\n') || out.ends_with('\r')) out.pop_back();
  return out;
}

void LineEditor::keep(const std::string& text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  history(impl_->history, &impl_->event, H_ENTER, line.c_str());
  if (impl_->history_file.empty()) return;
  const mode_t before = umask(0077);  // what was asked of a daemon is nobody else's business
  history(impl_->history, &impl_->event, H_SAVE, impl_->history_file.c_str());
  umask(before);
}

std::string common_beginning(const std::vector<std::string>& texts) {
  if (texts.empty()) return {};
  std::size_t size = texts[0].size();
  for (const std::string& text : texts) {
    const auto [mine, theirs] = std::ranges::mismatch(std::string_view(texts[0]).substr(0, size), text);
    size =
        std::min(size, static_cast<std::size_t>(mine - std::string_view(texts[0]).substr(0, size).begin()));
  }
  while (size > 0 && size < texts[0].size() && is_continuation(texts[0][size])) --size;
  return texts[0].substr(0, size);
}

}  // namespace tidegate

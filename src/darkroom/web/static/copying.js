// Buttons that copy a text beside them; without scripts they are not there, and the text is.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed here, or an older browser
    const field = Object.assign(document.createElement("textarea"), {value: text});
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

export function offerCopies(within) {
  for (const button of within.querySelectorAll("[data-copy], [data-text]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await copy(button.dataset.text ?? document.getElementById(button.dataset.copy).value);
      const name = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = name; }, 1500);
    });
  }
}

// Buttons that copy a text beside them; without scripts they are not there, and the text is.

export function offerCopies(within) {
  for (const button of within.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(field.value);
      } catch { // not allowed here, or an older browser
        field.select();
        document.execCommand("copy");
      }
      const name = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = name; }, 1500);
    });
  }
}

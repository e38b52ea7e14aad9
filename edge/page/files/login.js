const form = document.getElementById("login");
const password = document.getElementById("password");
const error = document.getElementById("error");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.textContent = "";
  try {
    const answer = await fetch("/login", { method: "POST", body: JSON.stringify(password.value) });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    error.textContent = (await answer.json()).error;
  } catch {
    error.textContent = "the device does not answer";
  }
  password.select();
});

// Takes the password, and warns where others can read it on its way.

const form = document.getElementById("login");
const password = document.getElementById("password");
const error = document.getElementById("error");

const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
document.getElementById("insecure").hidden = location.protocol !== "http:" || isLocal;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.textContent = "";
  try {
    const answer = await fetch("login", { method: "POST", body: JSON.stringify(password.value) });
    if (answer.ok) {
      location.replace("./");
      return;
    }
    error.textContent = (await answer.json()).error;
  } catch {
    error.textContent = "the device is not responding";
  }
  password.select();
});

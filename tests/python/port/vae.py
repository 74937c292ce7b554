"""A variational autoencoder of small images."""

import numpy as np
import torch
import torch.utils.data
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 48)
        self.fc21 = nn.Linear(48, 8)
        self.fc22 = nn.Linear(48, 8)
        self.fc3 = nn.Linear(8, 48)
        self.fc4 = nn.Linear(48, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    """Reconstruction, and the divergence from a normal distribution."""
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def main(folder, epochs=8):
    torch.manual_seed(1)
    device = torch.device("cpu")
    images = load_digits(return_X_y=True)[0].astype(np.float32).reshape(-1, 1, 8, 8) / 16
    loader = torch.utils.data.DataLoader(torch.from_numpy(images), batch_size=128, shuffle=True)
    model = VAE().to(device)
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for epoch in range(1, epochs + 1):
        model.train()
        train_loss = 0
        for data in loader:
            data = data.to(device)
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        losses.append(train_loss / len(loader.dataset))
        print(f"====> Epoch: {epoch} Average loss: {losses[-1]:.4f}")
    model.eval()
    with torch.no_grad():
        n = min(data.size(0), 8)
        recon = model(data)[0]
        comparison = torch.cat([data[:n], recon.view(-1, 1, 8, 8)[:n]])
        sample = model.decode(torch.randn(8, 8).to(device)).cpu()
    assert comparison.size() == (2 * n, 1, 8, 8)
    assert sample.view(8, 1, 8, 8).shape == (8, 1, 8, 8)
    return losses[0], losses[-1]
